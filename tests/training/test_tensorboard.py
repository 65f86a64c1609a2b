"""Summaries for TensorBoard hold what history.csv holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from tests.training.test_dataset_and_split import write_look_alike
from training import run_folder
from training.datasets import open_dataset
from training.fit import Surroundings, fit
from training.settings import FitSettings

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("default")]


def test_tensorboard_gets_every_epoch(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data, out = tmp_path / "data", tmp_path / "run"
    write_look_alike(data, patients=60)
    around = Surroundings(out, say=lambda text: None, tensorboard=True)
    fit(open_dataset(data), data, FitSettings(epochs=2, batch_size=16), around, None)
    events = EventAccumulator(str(out / "tensorboard")).Reload()
    told = [(event.step, event.tensor_proto) for event in events.Tensors("val_loss")]
    rows = run_folder.read_rows(out / "history.csv")
    assert [step for step, _ in told] == [int(row["epoch"]) for row in rows] == [1, 2]
    for (_, proto), row in zip(told, rows, strict=True):
        assert float(tf.make_ndarray(proto)) == pytest.approx(float(row["val_loss"]), rel=1e-5)
