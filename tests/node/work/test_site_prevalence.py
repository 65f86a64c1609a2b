"""A site's own prevalence, from the settings of the node to every object that it sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from cxr_core.bundle import find_bundle
from cxr_core.classifier import Classifier
from cxr_core.result_json import from_json
from cxr_core.results.records import AnalysedImage
from cxr_core.samples import sample_folder
from cxr_core.settings import Settings
from dicom_node.store.tables import deliveries, instances, results
from dicom_node.work.analysis import Analyst
from tests.core.results.builder import analysed, one
from tests.node.node_process import Node

pytestmark = pytest.mark.slow

FILM = min(sample_folder().glob("*.dcm"))
SITE, OWN = 0.05, find_bundle().manifest.prevalence


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path, analysis={"prevalence": SITE}, results={"sc": "always", "gsps": "always"})
    yield made
    made.end()


def objects(node: Node) -> dict[str, Dataset]:
    """What came to the destination, by kind."""
    node.wait_for(sa.select(deliveries).where(deliveries.c.state == "delivered"), 3)
    (folder,) = node.folder.results.iterdir()
    return {row.kind: pydicom.dcmread(folder / row.file) for row in node.rows(sa.select(results))}


def test_a_site_s_prevalence_moves_the_certainty_and_stands_in_every_object(node: Node) -> None:
    node.start()
    node.send([FILM])
    sent = objects(node)
    (row,) = node.rows(sa.select(instances))
    prediction = from_json(row.answer).prediction
    assert prediction is not None
    assert node.stop() == 0

    (without,) = Analyst(Classifier(None, Settings())).answer([FILM])
    assert without.prediction is not None
    own = without.prediction.probability
    odds = own / (1 - own) * (SITE / (1 - SITE)) / (OWN / (1 - OWN))
    assert prediction.prevalence == SITE
    assert prediction.probability == pytest.approx(odds / (1 + odds))
    assert prediction.verdict == without.prediction.verdict, "decided on the scale that was validated"

    report = list(sent["sr"].iterall())
    assert f"prevalence = {SITE:.6g}; the certainty holds for it" in [element.value for element in report]
    certainty = round(100 * prediction.findings[0].probability, 2)
    assert certainty in [float(element.value) for element in report if element.keyword == "NumericValue"]
    texts = [element.value for element in sent["gsps"].iterall() if element.keyword == "UnformattedTextValue"]
    assert any("at a prevalence of 5 %" in text for text in texts)

    # The capture's legend is pixels: it is the picture of this answer, and not that of the same without the words.
    film = analysed(prediction, data=FILM.read_bytes())
    silent = analysed(replace(prediction, prevalence=OWN), data=FILM.read_bytes())
    pictures = [capture(each) for each in (film, silent)]
    assert (sent["sc"].pixel_array == pictures[0]).all()
    assert not (pictures[0] == pictures[1]).all()


def capture(film: AnalysedImage) -> np.ndarray:
    return one("sc", film).pixel_array
