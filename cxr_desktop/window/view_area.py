"""The middle of the window: the current film, and a prior beside it that follows where they are linked."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QWidget

from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.linked import following
from cxr_desktop.window.pane import Pane


class ViewArea(QSplitter):
    """Two panes; the prior's is hidden until there is one.

    Signals
    -------
    activeChanged(Pane)
        The reader works in another pane.
    """

    activeChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setChildrenCollapsible(False)
        self.linked = True
        self.current = Pane(self.tr("Current film"), self)
        self.prior = Pane(self.tr("Prior film"), self)
        self._active = self.current
        for pane, other in ((self.current, self.prior), (self.prior, self.current)):
            self.addWidget(pane)
            pane.activated.connect(lambda pane=pane: self.activate(pane))
            pane.roomChanged.connect(self._level)
            pane.moved.connect(lambda before, _, pane=pane, other=other: self._lead(pane, before, other))
        self.prior.hide()

    @property
    def panes(self) -> tuple[Pane, Pane]:
        """Current and prior."""
        return self.current, self.prior

    @property
    def active(self) -> Pane:
        """The pane that commands go to: the prior's only while it is seen."""
        return self._active if not self._active.isHidden() else self.current

    def activate(self, pane: Pane) -> None:
        """Let commands go to a pane."""
        if pane is not self._active:
            self._active = pane
            self.activeChanged.emit(pane)

    def show_prior(self, shown: bool) -> None:
        """Hang the prior beside the current film, or take it away."""
        self.prior.setVisible(shown)
        if shown:
            half = self.width() // 2
            self.setSizes([half, half])
        else:
            self.prior.show_film(None, None)
            self.activate(self.current)

    def _level(self) -> None:
        """The same room under both films: they hang at one height whatever models say of each."""
        room = max(pane.wanted_room() for pane in self.panes)
        for pane in self.panes:
            pane.keep_room(room)

    def _lead(self, pane: Pane, before: DisplayState, other: Pane) -> None:
        after, follower = pane.shown(), other.shown()
        if self.linked and after is not None and follower is not None and not other.isHidden():
            other.follow(following(before, after, follower))
