"""Window and level as numbers: seen at once, and what cannot be is put right with a note."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit

from cxr_core.grayscale import LookupTable
from cxr_desktop.state.windowing import usable_window, window_of, with_window

if TYPE_CHECKING:
    from cxr_desktop.views.image_view import ImageView


class WindowDialog(QDialog):
    """Center and width of the window that a view shows; Cancel brings back what was shown before."""

    def __init__(self, view: ImageView) -> None:
        super().__init__(view)
        self.setWindowTitle(self.tr("Window and level"))
        self._view = view
        assert view.display is not None, "a view without an image has no window"
        self._before = view.display
        window = window_of(view.display)
        self._function = window.function
        self.center, self.width_ = QLineEdit(f"{window.center:g}", self), QLineEdit(f"{window.width:g}", self)
        self.note = QLabel(self)
        self.note.setWordWrap(True)
        rows = QFormLayout(self)
        if isinstance(view.display.voi, LookupTable):
            rows.addRow(QLabel(self.tr("Over the output of the VOI LUT"), self))
        for name, edit in ((self.tr("&Center"), self.center), (self.tr("&Width"), self.width_)):
            edit.setAccessibleName(name.replace("&", ""))
            edit.textEdited.connect(self._show)
            rows.addRow(name, edit)
        rows.addRow(self.note)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        rows.addRow(buttons)

    def reject(self) -> None:
        """As it was."""
        self._view.set_display(self._before, final=True)
        super().reject()

    def _show(self) -> None:
        window, note = usable_window(_number(self.center.text()), _number(self.width_.text()), self._function)
        self.note.setText(note[:1].upper() + note[1:])
        if self._view.display is not None:
            self._view.set_display(with_window(self._view.display, window))


def _number(text: str) -> float:
    """With a point or a comma; no number is NaN."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return math.nan
