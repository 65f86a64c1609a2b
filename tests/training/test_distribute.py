"""Two workers, and two devices of one, train what one process trains, from one checkpoint; odd clusters are named."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.test_dataset_and_split import write_look_alike
from training import run_folder
from training.datasets import open_dataset
from training.distribute import DistributionError
from training.fit import Surroundings, fit
from training.networks import sequential_cnn
from training.settings import Distribution, FitSettings

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("default")]

TIME_OUT_S = 300
#: 176 training films: batches of 59, 59 and 58, which two replicas cannot share evenly.
ONE_EPOCH = FitSettings(epochs=1, batch_size=59, augmented=False, dropout=False, leave_out="fold 0")

#: Plain descent in the place of Adam, whose step for a gradient of mere rounding is as long as any other, and
#: without the average of the weights, which hardly moves in a few steps: so weights show what the sums were.
SCRIPT = """
import json, sys
from pathlib import Path
import keras
import tensorflow as tf
from cxr_core.errors import CxrError
from training.datasets import open_dataset
from training.fit import Surroundings, fit
from training.settings import FitSettings

data, out, distribution, descent, settings = sys.argv[1:]
if distribution == "mirrored":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored = tf.distribute.MirroredStrategy
    tf.distribute.MirroredStrategy = lambda: mirrored(["CPU:0", "CPU:1"])  # it looks for GPUs by itself
if descent == "plain":
    keras.optimizers.Adam = lambda rate, **more: keras.optimizers.SGD(0.02)
try:
    around = Surroundings(Path(out), distribution=distribution)
    fit(open_dataset(Path(data)), Path(data), FitSettings(**json.loads(settings)), around, None)
except CxrError as error:
    sys.exit(str(error))
"""


def start(
    data: Path, out: Path, distribution: Distribution, descent: str, settings: FitSettings, **environment: str
) -> subprocess.Popen[str]:
    fields = json.dumps({name: getattr(settings, name) for name in settings.__dataclass_fields__})
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(data), str(out), distribution, descent, fields],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **environment},
    )


def ends(processes: Iterable[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of each; none outlives the test."""
    processes = list(processes)
    try:
        said = [process.communicate(timeout=TIME_OUT_S) for process in processes]
        return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def two_workers(data: Path, outs: list[Path], descent: str, settings: FitSettings) -> list[tuple[int, str, str]]:
    sockets = [socket.socket() for _ in outs]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    configs = [
        json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}) for index in (0, 1)
    ]
    return ends(
        start(data, out, "multiworker", descent, settings, TF_CONFIG=config)
        for out, config in zip(outs, configs, strict=True)
    )


def weights_of(out: Path) -> list[np.ndarray]:
    return [variable.numpy() for variable in keras.models.load_model(out / "model.keras").weights]


def loss_of(out: Path) -> float:
    return float(run_folder.read_rows(out / "history.csv")[-1]["loss"])


def in_this_process(data: Path, out: Path, settings: FitSettings, **more: Any) -> None:
    fit(open_dataset(data), data, settings, Surroundings(out, say=lambda text: None, **more), None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_look_alike(folder, patients=60)
    return folder


@pytest.fixture(scope="module")
def one_process(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "one"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.optimizers, "Adam", lambda rate, **more: keras.optimizers.SGD(0.02))
        in_this_process(data, out, ONE_EPOCH)
    return out


def check_same(out: Path, reference: Path) -> None:
    keras.utils.set_random_seed(ONE_EPOCH.seed)
    untrained = [variable.numpy() for variable in sequential_cnn().weights]
    moved = []
    for found, expected, before in zip(weights_of(out), weights_of(reference), untrained, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
        moved.append(np.abs(expected - before).max())
    assert min(moved) > 1e-3, "the bound would say nothing of weights that stayed where they were"
    assert loss_of(out) == pytest.approx(loss_of(reference), abs=1e-4)


def test_two_workers_train_what_one_process_trains(data: Path, one_process: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (code, said, errors), (other_code, _, other_errors) = two_workers(data, [out, out], "plain", ONE_EPOCH)
    assert (code, other_code) == (0, 0), errors + other_errors
    assert "train: " in said
    check_same(out, one_process)
    assert [path.name for path in tmp_path.iterdir()] == ["run"], "the second worker leaves nothing behind"
    assert {path.name for path in out.iterdir()} == {path.name for path in one_process.iterdir()}


def test_two_devices_train_what_one_trains(data: Path, one_process: Path, tmp_path: Path) -> None:
    [(code, _, errors)] = ends([start(data, tmp_path / "run", "mirrored", "plain", ONE_EPOCH)])
    assert code == 0, errors
    check_same(tmp_path / "run", one_process)


class StopError(Exception):
    """Stands for whatever ends a run."""


def stop_in_second_epoch() -> Any:
    epochs = iter(range(3))

    def hook(items: Iterable[Any], total: int) -> Iterable[Any]:
        if isinstance(items, list):  # decoding
            yield from items
        elif next(epochs) == 1:
            raise StopError
        else:
            yield from items

    return hook


def test_stopped_run_goes_on_with_workers_when_all_find_its_checkpoint(data: Path, tmp_path: Path) -> None:
    """With Adam and its average, as served; the second worker's machine at first lacks the run folder."""
    settings = FitSettings(epochs=2, batch_size=59, augmented=False, dropout=False)
    in_this_process(data, tmp_path / "whole", settings)
    out = tmp_path / "run"
    with pytest.raises(StopError):
        in_this_process(data, out, settings, progress=stop_in_second_epoch())
    for code, _, errors in two_workers(data, [out, tmp_path / "elsewhere"], "adam", settings):
        assert code == 1
        assert re.search(
            r"^workers that differ in whole epochs found; expected .*copy its checkpoint", errors, re.MULTILINE
        )
        assert "Traceback" not in errors
    for code, said, errors in two_workers(data, [out, out], "adam", settings):
        assert code == 0, errors
        assert "goes on after epoch 1" in said
    for found, expected in zip(weights_of(out), weights_of(tmp_path / "whole"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert loss_of(out) == pytest.approx(loss_of(tmp_path / "whole"), abs=1e-3)


@pytest.mark.parametrize(
    "config",
    [
        None,
        "host1:2222",
        "{}",
        '{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_missing_or_odd_cluster_is_one_line_and_writes_nothing(
    data: Path, tmp_path: Path, config: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(DistributionError, match=r"^no cluster of workers.*TF_CONFIG") as caught:
        in_this_process(data, tmp_path / "run", ONE_EPOCH, distribution="multiworker")
    assert "set it on every machine" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
