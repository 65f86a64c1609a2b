"""What a view shows, as exports take it."""

from __future__ import annotations

from cxr_desktop.output.picture import ShownFilm
from cxr_desktop.state.measured import in_words
from cxr_desktop.tools.layer import export_painter
from cxr_desktop.tools.measurements import MeasurementModel
from cxr_desktop.views.film_view import FilmView


def shown_film(view: FilmView, model: MeasurementModel | None, corner_text_level: int) -> ShownFilm | None:
    """The film of a view as the reader sees it now; None where there is none.

    Parameters
    ----------
    view : FilmView
        Its image, display and heat map.
    model : MeasurementModel or None
        The measurements, where they are shown.
    corner_text_level : int
        As the reader has set it: ViewerSettings.corner_text.
    """
    if view.loaded is None or view.display is None:
        return None
    if model is None or not model.measurements:
        return ShownFilm(view.loaded, view.display, view.heat_map, corner_text_level=corner_text_level)
    words = tuple(tuple(in_words(model.values(one), one.comment)) for one in model.measurements)
    return ShownFilm(view.loaded, view.display, view.heat_map, export_painter(model), words, corner_text_level)
