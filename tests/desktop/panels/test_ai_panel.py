"""The panel of answers: what it shows of each state, what it asks for, and that nothing is cut off at 300 pixels."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QLineEdit, QSlider, QWidget
from pytestqt.qtbot import QtBot

from cxr_desktop.panels.ai_panel import AiPanel
from cxr_desktop.state.ai_reading import Reading
from cxr_desktop.state.answers import Answer
from cxr_desktop.state.settings import HeatMapSettings
from tests.desktop import answers_builder as made

KEYS = {"ask": "V", "ask_both": "B", "show_map": "M", "cancel": "Esc", "agree": "Y", "reject": "N", "unsure": "U"}
LONG_PATH = "/" + "x" * 200


def read(*answers: Answer) -> Reading:
    reading = Reading(has_image=True).asked(["cnn", "mobilenetv2"][: len(answers)])
    for number, answer in enumerate(answers):
        reading = reading.answered(number, answer)
    return reading


STATES = {
    "no image": Reading(),
    "not asked": Reading(has_image=True),
    "running": Reading(has_image=True).asked(["cnn"]).at_stage(0, "loading the model"),
    "positive": read(made.positive()),
    "map": read(made.positive()).map_toggled(0),
    "negative": read(made.negative()),
    "negative, asked for its map": read(made.negative()).map_toggled(0),
    "indeterminate": read(made.indeterminate()),
    "out of domain": read(made.out_of_domain()),
    "population": read(made.wrong_population()),
    "age unknown": read(made.positive(population="unknown")),
    "refused": read(made.refused()),
    "failed": read(made.failed()),
    "problem": Reading(has_image=True).asked([LONG_PATH]).failed(0, f"no readable bundle.json in {LONG_PATH}"),
    "two": read(made.positive(), made.negative(name="mobilenetv2")),
    "two with a map": read(made.positive(), made.positive(name="mobilenetv2")).map_toggled(1),
    "findings": read(made.of_findings(0.2, 0.9, 0.7)).map_toggled(0),
    "classes": read(made.of_classes(0.2, 0.7, 0.1)),
}


@pytest.fixture
def panel(qtbot: QtBot) -> AiPanel:
    made_panel = AiPanel()
    qtbot.addWidget(made_panel)
    made_panel.set_keys(KEYS)
    made_panel.resize(300, 900)
    made_panel.show()
    return made_panel


def said(panel: AiPanel) -> str:
    """Everything that is to be read."""
    return "\n".join(label.text() for label in panel.findChildren(QLabel) if label.isVisible())


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_cut_off_at_300_pixels(panel: AiPanel, state: str) -> None:
    panel.show_reading(STATES[state])
    QApplication.processEvents()
    viewport = panel.scroll_area.viewport()
    assert panel.scroll_area.widget().minimumSizeHint().width() <= viewport.width()
    for widget in panel.findChildren(QWidget):
        if not widget.isVisible() or not isinstance(widget, QAbstractButton | QLabel | QComboBox | QSlider | QLineEdit):
            continue
        around = viewport if viewport.isAncestorOf(widget) else panel
        assert widget.mapTo(around, widget.rect().topRight()).x() < around.width(), widget
        if isinstance(widget, QAbstractButton):
            assert widget.width() >= widget.minimumSizeHint().width(), widget
        if isinstance(widget, QLabel) and LONG_PATH not in widget.text():
            assert widget.height() >= widget.heightForWidth(widget.width()), widget.text()


@pytest.mark.parametrize("state", STATES)
def test_every_control_has_a_name(panel: AiPanel, state: str) -> None:
    panel.show_reading(STATES[state])
    for widget in panel.findChildren(QWidget):
        if isinstance(widget, QAbstractButton | QComboBox | QSlider | QLineEdit) and widget.isVisible():
            assert widget.accessibleName() or getattr(widget, "text", str)(), widget


@pytest.mark.parametrize("state", ["findings", "two with a map", "running"])
def test_focus_goes_down_the_panel(panel: AiPanel, state: str) -> None:
    panel.show_reading(STATES[state])
    QApplication.processEvents()
    chain = [panel.ask_button]
    while (following := chain[-1].nextInFocusChain()) is not panel.ask_button:
        chain.append(following)
    visited = [
        widget
        for widget in chain
        if widget.isVisible()
        and widget.isEnabled()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and panel.isAncestorOf(widget)
        and not isinstance(widget.parent(), QComboBox)
    ]
    places = [(widget.mapTo(panel, widget.rect().topLeft()).y() // 12, widget.x()) for widget in visited]
    assert len(visited) > 3
    assert places == sorted(places)


def test_no_state_but_a_verdict_reads_like_one(panel: AiPanel) -> None:
    for state in (
        "not asked",
        "running",
        "indeterminate",
        "out of domain",
        "population",
        "refused",
        "failed",
        "problem",
    ):
        panel.show_reading(STATES[state])
        kinds = [card.kind.text() for card in panel.cards if card.isVisible()]
        assert not {"FOUND", "NOT FOUND"} & set(kinds)
    kinds = []
    for state in ("positive", "negative", "indeterminate", "out of domain", "refused", "failed", "running"):
        panel.show_reading(STATES[state])
        kinds.append(panel.cards[0].kind.text())
    assert len(set(kinds)) == len(kinds)


def test_off_until_asked(qtbot: QtBot, panel: AiPanel) -> None:
    panel.show_reading(STATES["not asked"])
    assert not any(card.isVisible() for card in panel.cards)
    assert not panel.map_controls.isVisible()
    assert "the model answers when you ask it" in said(panel)
    with qtbot.waitSignal(panel.askRequested):
        qtbot.mouseClick(panel.ask_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(panel.bothRequested):
        qtbot.mouseClick(panel.both_button, Qt.MouseButton.LeftButton)


def test_no_image_no_question(panel: AiPanel) -> None:
    panel.show_reading(STATES["no image"])
    assert not panel.ask_button.isEnabled()
    assert not panel.both_button.isEnabled()
    assert not panel.feedback.isEnabled()


def test_while_a_model_is_at_work_it_can_be_cancelled(qtbot: QtBot, panel: AiPanel) -> None:
    panel.show_reading(STATES["running"])
    assert panel.progress.isVisible()
    assert not panel.ask_button.isEnabled()
    assert "loading the model" in said(panel)
    with qtbot.waitSignal(panel.cancelRequested):
        qtbot.mouseClick(panel.cancel_button, Qt.MouseButton.LeftButton)
    panel.show_reading(STATES["positive"])
    assert not panel.progress.isVisible()
    assert not panel.cancel_button.isVisible()


def test_a_verdict_with_its_score_and_what_it_rests_on(panel: AiPanel) -> None:
    panel.show_reading(STATES["positive"])
    for words in (
        "Pneumonia pattern found by this model; nothing else was assessed",
        "Score 0.93, calibrated for a share of 50 % with PNEUMONIA.",
        "near the training images, which does not make the model valid here",
        "Warning: view unknown",
    ):
        assert words in said(panel)
    assert "Caution" not in said(panel)
    panel.cards[0].details_button.click()
    assert "near the training images" not in said(panel)


def test_a_caution_stands_beside_the_verdict(panel: AiPanel) -> None:
    panel.show_reading(STATES["age unknown"])
    assert "Caution: Patient age unknown" in said(panel)


def test_text_of_a_file_is_no_markup(panel: AiPanel) -> None:
    reading = Reading(has_image=True).asked(["cnn"]).failed(0, "<b>bold</b> & <img src='x'>")
    panel.show_reading(reading)
    assert panel.cards[0].verdict.textFormat() == Qt.TextFormat.PlainText
    panel.show_reading(read(made.out_of_domain()))
    reason = made.answer(
        verdict=None, verdict_withheld="out_of_domain", in_domain=False, domain_reason="<i>odd</i>", domain_score=2.0
    )
    panel.show_reading(read(reason))
    assert "&lt;i&gt;odd" in panel.cards[0].details.text()


def test_the_map_takes_a_request_of_its_own(qtbot: QtBot, panel: AiPanel) -> None:
    panel.show_reading(STATES["positive"])
    button = panel.cards[0].map_button
    assert button.text() == "Show map (M)"
    assert not panel.map_controls.isVisible()
    with qtbot.waitSignal(panel.mapToggled) as told:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert told.args == [0]
    panel.show_reading(STATES["map"])
    assert button.text() == "Hide map (M)"
    assert panel.map_controls.isVisible()
    assert "model attention, not a lesion outline, relative within this image" in said(panel)


def test_the_map_of_a_negative_answer_is_asked_for_twice(panel: AiPanel) -> None:
    panel.show_reading(STATES["negative"])
    assert panel.cards[0].map_button.text() == "Show map (M)"
    panel.show_reading(STATES["negative, asked for its map"])
    assert panel.cards[0].map_button.text() == "Show it anyway (M)"
    assert "its map marks nothing that was found" in said(panel)
    assert not panel.map_controls.isVisible()


@pytest.mark.parametrize("state", ["refused", "failed", "problem"])
def test_without_a_prediction_no_map_is_offered(panel: AiPanel, state: str) -> None:
    panel.show_reading(STATES[state])
    assert not panel.cards[0].map_button.isVisible()
    assert not panel.cards[0].card_button.isVisible()


def test_each_of_two_answers_has_its_own_map(qtbot: QtBot, panel: AiPanel) -> None:
    panel.show_reading(STATES["two"])
    assert all(card.isVisible() for card in panel.cards)
    assert "The models differ: cnn 0.4.0 says PNEUMONIA, mobilenetv2 0.4.0 says NORMAL." in said(panel)
    with qtbot.waitSignal(panel.mapToggled) as told:
        panel.cards[1].map_button.click()
    assert told.args == [1]
    with qtbot.waitSignal(panel.cardRequested) as told:
        panel.cards[1].card_button.click()
    assert told.args == [1]
    panel.show_reading(STATES["two with a map"])
    assert [card.map_button.text() for card in panel.cards] == ["Show map", "Hide map (M)"]
    assert "one does not confirm the other" in said(panel)


def test_a_label_is_chosen_for_the_map(qtbot: QtBot, panel: AiPanel) -> None:
    panel.show_reading(STATES["findings"])
    choice = panel.cards[0].map_choice
    assert choice.currentText() == "FINDING 2"
    with qtbot.waitSignal(panel.mapLabelChosen) as told:
        choice.setFocus()
        qtbot.keyClick(choice, Qt.Key.Key_Down)
    assert told.args == [0, "FINDING 3"]
    panel.show_reading(STATES["map"])
    assert not choice.isVisible()


def test_map_settings_are_told_whole(qtbot: QtBot, panel: AiPanel) -> None:
    told: list[Any] = []
    panel.mapSettingsChanged.connect(told.append)
    given = HeatMapSettings(opacity=0.6, threshold=0.3, colour_map="magma", contour=False, legend=True)
    panel.set_map_settings(given)
    assert told == []
    assert panel.map_controls.settings == given
    panel.show_reading(STATES["map"])
    panel.map_controls.contour.click()
    panel.map_controls.legend.click()
    qtbot.keyClick(panel.map_controls.opacity, Qt.Key.Key_Right)
    qtbot.keyClick(panel.map_controls.threshold, Qt.Key.Key_Left)
    assert told[-1] == HeatMapSettings(opacity=0.61, threshold=0.29, colour_map="magma", contour=True, legend=False)
    assert "61 %" in said(panel)
    assert len(told) == 4


@pytest.mark.parametrize("judgement", ["agree", "reject", "unsure"])
def test_an_opinion_with_a_comment(qtbot: QtBot, panel: AiPanel, judgement: Any) -> None:
    panel.show_reading(STATES["positive"])
    panel.feedback.comment.setText("right lower zone")
    with qtbot.waitSignal(panel.judged) as told:
        panel.feedback.buttons[judgement].click()
    assert told.args == [judgement, "right lower zone", 0]
    panel.feedback.comment.setText("left")
    with qtbot.waitSignal(panel.judged) as told:
        qtbot.keyClick(panel.feedback.comment, Qt.Key.Key_Return)
    assert told.args == [judgement, "left", 0]


def test_a_comment_alone_is_no_opinion(qtbot: QtBot, panel: AiPanel) -> None:
    panel.show_reading(STATES["positive"])
    with qtbot.assertNotEmitted(panel.judged):
        qtbot.keyClick(panel.feedback.comment, Qt.Key.Key_Return)
    assert "Choose agree, reject or unsure" in said(panel)
    panel.feedback.begin()
    assert "Choose agree" not in said(panel)


def test_of_two_answers_one_is_judged(qtbot: QtBot, panel: AiPanel) -> None:
    panel.show_reading(STATES["two"])
    panel.feedback.subject.setCurrentIndex(1)
    panel.show_reading(STATES["two with a map"])
    with qtbot.waitSignal(panel.judged) as told:
        panel.feedback.judge("reject")
    assert told.args == ["reject", "", 1]
    panel.show_reading(STATES["positive"])
    assert not panel.feedback.subject.isVisible()


def test_no_opinion_without_an_image(qtbot: QtBot, panel: AiPanel) -> None:
    panel.show_reading(STATES["no image"])
    with qtbot.assertNotEmitted(panel.judged):
        panel.feedback.judge("agree")


def test_buttons_name_their_keys(panel: AiPanel) -> None:
    texts = {button.text() for button in panel.findChildren(QAbstractButton)}
    assert {"Ask the model (V)", "Both (B)", "Cancel (Esc)", "Agree (Y)", "Reject (N)", "Unsure (U)"} <= texts
    panel.set_keys({})
    assert panel.ask_button.text() == "Ask the model"
