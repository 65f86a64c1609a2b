"""The model card as its bundle says, with nothing loaded that it names."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QTextDocument
from pytestqt.qtbot import QtBot

from cxr_core.bundle import find_bundle
from cxr_core.prediction import ModelIdentity
from cxr_desktop.panels.model_card import ModelCardPanel
from cxr_desktop.workers.inference_messages import ModelDescription


def described(name: str, card: str | None = None) -> ModelDescription:
    bundle = find_bundle(name)
    identity = ModelIdentity(name, bundle.manifest.version, bundle.sha256)
    return ModelDescription(identity, bundle.manifest, bundle.card() if card is None else card)


@pytest.fixture
def panel(qtbot: QtBot) -> ModelCardPanel:
    shown = ModelCardPanel()
    qtbot.addWidget(shown)
    shown.resize(320, 600)
    shown.show()
    return shown


def test_before_one_is_chosen(panel: ModelCardPanel) -> None:
    assert panel.card.toPlainText() == "No model was chosen yet."
    assert not panel.facts.isVisible()


@pytest.mark.parametrize("name", ["cnn", "mobilenetv2"])
def test_the_card_of_a_model(panel: ModelCardPanel, name: str) -> None:
    panel.set_models(("cnn", "mobilenetv2"))
    panel.show_description(described(name))
    assert panel.choice.currentText() == name
    assert panel.facts.text().startswith(f"{name} ")
    assert "validated for children of 1 to 5 years" in panel.facts.text()
    text = panel.card.toPlainText()
    assert "Figures on the held-out patients" in text
    assert "##" not in text  # rendered
    assert "|---" not in text


def test_another_model_is_chosen(qtbot: QtBot, panel: ModelCardPanel) -> None:
    panel.set_models(("cnn", "mobilenetv2"))
    panel.show_description(described("cnn"))
    with qtbot.waitSignal(panel.modelChosen) as told:
        panel.choice.setFocus()
        qtbot.keyClick(panel.choice, Qt.Key.Key_Down)
    assert told.args == ["mobilenetv2"]
    panel.set_models(("cnn", "mobilenetv2", "other"))
    assert panel.choice.currentText() == "mobilenetv2"


def test_a_model_that_cannot_be_read_is_told(panel: ModelCardPanel) -> None:
    panel.show_description(described("cnn"))
    panel.show_problem("no model named nix; expected one of: cnn, mobilenetv2; see `cxr models`")
    assert "no model named nix" in panel.card.toPlainText()
    assert not panel.facts.isVisible()


def test_nothing_that_a_card_names_is_loaded(panel: ModelCardPanel) -> None:
    panel.show_description(described("cnn", "# a card\n\n![picture](file:///etc/passwd)\n[link](file:///etc/passwd)"))
    image = int(QTextDocument.ResourceType.ImageResource.value)
    assert panel.card.loadResource(image, QUrl("file:///etc/passwd")) is None
    assert not panel.card.openLinks()
