"""Two films beside each other: linked, each in its own measures, and commands go to the one that is worked in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from cxr_core.grayscale import Window
from cxr_desktop.state.display import rotated
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.window.view_area import ViewArea
from tests.desktop.answers_builder import positive
from tests.desktop.films import film


def ramp(rows: int, columns: int) -> LoadedImage:
    return film(np.linspace(0, 4000, rows * columns, dtype=np.uint16).reshape(rows, columns))


@pytest.fixture
def area(qtbot: QtBot) -> ViewArea:
    made = ViewArea()
    qtbot.addWidget(made)
    made.resize(1200, 700)
    made.show()
    made.current.show_film(ramp(600, 500), None, "now")
    made.show_prior(True)
    made.prior.show_film(ramp(1200, 1000), None, "then")
    return made


def test_the_prior_follows_zoom_and_window_but_not_turns(area: ViewArea) -> None:
    current, prior = area.current.view, area.prior.view
    assert current.display is not None
    assert prior.display is not None
    current.set_display(rotated(current.display))
    assert prior.display.quarter_turns == 0
    current.set_display(replace(current.display, quarter_turns=0))
    current.zoom_to(2 * current.fitted_zoom)
    assert prior.shown_zoom == pytest.approx(2 * prior.fitted_zoom, rel=0.01)
    current.set_display(replace(current.display, voi=Window(1000, 400)))
    before = prior.display
    current.set_display(replace(current.display, voi=Window(1040, 200)))
    assert isinstance(prior.display.voi, Window)
    assert prior.display != before


def test_what_is_not_linked_does_not_follow(area: ViewArea) -> None:
    area.linked = False
    before = area.prior.view.display
    area.current.view.zoom_to(3)
    assert area.prior.view.display == before


def test_another_film_is_no_change_that_is_followed(area: ViewArea) -> None:
    area.prior.view.zoom_to(1.5)
    before = area.prior.view.display
    area.current.show_film(ramp(300, 400), None, "next")
    assert area.prior.view.display == before


def test_commands_go_to_the_film_that_is_worked_in_while_it_is_seen(area: ViewArea) -> None:
    area.prior.view.setFocus()
    area.activate(area.prior)
    assert area.active is area.prior
    area.show_prior(False)
    assert area.active is area.current
    assert area.prior.loaded is None


def test_the_current_film_follows_the_prior_as_well(area: ViewArea) -> None:
    area.prior.view.zoom_to(4 * area.prior.view.fitted_zoom)
    assert area.current.view.shown_zoom == pytest.approx(4 * area.current.view.fitted_zoom, rel=0.01)


def test_films_hang_at_one_height_whatever_models_say_of_each(area: ViewArea, qtbot: QtBot) -> None:
    area.prior.set_answers([positive()])
    area.current.set_answers([positive(name="cnn"), positive(name="mobilenetv2")])
    area.resize(700, 700)  # the words of two models take more than the three lines that are kept
    qtbot.waitUntil(lambda: area.current.view.height() == area.prior.view.height())
    label = next(one for one in area.current.findChildren(QLabel) if one.text() == area.current.verdict())
    assert label.height() > 3 * label.fontMetrics().lineSpacing() + 4
    assert label.height() >= label.heightForWidth(label.width())
