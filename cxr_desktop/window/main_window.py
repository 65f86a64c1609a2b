"""The window as it is first painted: menus, docks, strip, an empty middle. The rest is built after the first paint."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QLabel, QMainWindow, QStackedWidget, QToolBar, QVBoxLayout, QWidget

from cxr_desktop.state.settings import ViewerSettings
from cxr_desktop.window.actions import COMMANDS, MENUS, TOOLBAR, Actions, translated
from cxr_desktop.window.messages import MessageBar
from cxr_desktop.window.theme import CAUTION

#: Name, title, side, and whether it is there at the first start.
_DOCKS = (
    ("studies", "Studies", Qt.DockWidgetArea.LeftDockWidgetArea, True),
    ("ai", "Model", Qt.DockWidgetArea.RightDockWidgetArea, True),
    ("measurements", "Measurements", Qt.DockWidgetArea.RightDockWidgetArea, True),
    ("model_card", "Model card", Qt.DockWidgetArea.RightDockWidgetArea, False),
    ("tags", "Tags", Qt.DockWidgetArea.BottomDockWidgetArea, False),
    ("batch", "Batch", Qt.DockWidgetArea.BottomDockWidgetArea, False),
)
#: Of the arrangement of docks; another one cannot be restored.
_LAYOUT_VERSION = 2


class MainWindow(QMainWindow):
    """The window. What fills it is `window.station`, which hears of everything by signals.

    Signals
    -------
    painted
        The first paint is over: what is heavy may be imported now.
    dropped : list of str
        Paths of files and folders that were dropped on the window.
    closing
        The window closes: what runs has to end.
    """

    painted = Signal()
    dropped = Signal(list)
    closing = Signal()

    def __init__(self, settings: ViewerSettings, state_file: Path | None = None) -> None:
        super().__init__()
        self.setObjectName("cxr-desktop")
        self.setWindowTitle(self.tr("CXR reading station"))
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.actions_ = Actions(self, settings.shortcuts)
        self.middle = QStackedWidget(self)
        self.messages = MessageBar(self)
        self._places = QSettings(str(state_file), QSettings.Format.IniFormat) if state_file else None
        self._was_painted = False
        self._arrangement: QByteArray | None = None  # of the docks, while the film stands alone
        self._lay_out()
        self.docks = {name: self._dock(name, title, area) for name, title, area, _ in _DOCKS}
        self.splitDockWidget(self.docks["ai"], self.docks["measurements"], Qt.Orientation.Vertical)
        self.tabifyDockWidget(self.docks["ai"], self.docks["model_card"])
        self.docks["ai"].raise_()
        for name, _, _, shown in _DOCKS:
            self.docks[name].setVisible(shown)
        side = [self.docks["studies"], self.docks["ai"]]
        self.resizeDocks(side, [300, 320], Qt.Orientation.Horizontal)
        self.resizeDocks([self.docks["ai"], self.docks["measurements"]], [560, 240], Qt.Orientation.Vertical)
        self.bar = self._tool_bar()
        self.menus = self._fill_menus()
        self.statusBar().setSizeGripEnabled(False)
        self.actions_["film_alone"].toggled.connect(self._film_alone)
        self._restore()

    def _lay_out(self) -> None:
        strip = QLabel(self.tr("Research use only, not for diagnosis"), self)
        strip.setObjectName("strip")
        strip.setAlignment(Qt.AlignmentFlag.AlignCenter)
        strip.setStyleSheet(f"color: {CAUTION}; font-weight: bold; padding: 3px;")
        strip.setAccessibleName(strip.text())
        centre = QWidget(self)
        rows = QVBoxLayout(centre)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.messages)
        rows.addWidget(self.middle, 1)
        rows.addWidget(strip)
        self.setCentralWidget(centre)

    def _dock(self, name: str, title: str, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(translated(title), self)
        dock.setObjectName(name)
        dock.setAccessibleName(translated(title))
        self.addDockWidget(area, dock)
        return dock

    def _tool_bar(self) -> QToolBar:
        bar = QToolBar(self.tr("Tools"), self)
        bar.setObjectName("bar")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        for name, _ in TOOLBAR:
            if name:
                bar.addAction(self.actions_[name])
            else:
                bar.addSeparator()
        self.addToolBar(bar)
        return bar

    def _fill_menus(self) -> dict[str, object]:
        menus = {}
        for name in MENUS:
            menu = menus[name] = self.menuBar().addMenu(translated(name))
            for command in (one for one in COMMANDS if one.menu == name):
                if command.separated:
                    menu.addSeparator()
                menu.addAction(self.actions_[command.name])
            if name == "Panels":
                menu.addSeparator()
                for dock in self.docks.values():
                    menu.addAction(dock.toggleViewAction())
                menu.addAction(self.bar.toggleViewAction())
        for command in COMMANDS:  # those of no menu have their keys from the window
            if not command.menu:
                self.addAction(self.actions_[command.name])
        return dict(menus)

    def _restore(self) -> None:
        if self._places is None:
            return
        geometry, state = self._places.value("geometry"), self._places.value("docks")
        if isinstance(geometry, QByteArray):  # else the file is damaged
            self.restoreGeometry(geometry)
        if isinstance(state, QByteArray):
            self.restoreState(state, _LAYOUT_VERSION)

    def _film_alone(self, alone: bool) -> None:
        """Put all panels away, or bring them back as they stood."""
        if alone:
            self._arrangement = self.saveState(_LAYOUT_VERSION)
            for dock in self.docks.values():
                dock.hide()
        elif self._arrangement is not None:
            self.restoreState(self._arrangement, _LAYOUT_VERSION)
            self._arrangement = None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell of the first paint, once it is on the screen."""
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Tell which files were dropped."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep where everything stood."""
        if self._places is not None:
            self._places.setValue("geometry", self.saveGeometry())
            self._places.setValue("docks", self._arrangement or self.saveState(_LAYOUT_VERSION))
            self._places.sync()
        self.closing.emit()
        super().closeEvent(event)
