"""The dialog of settings gives back what was put in, and OK is off while something cannot be used."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialogButtonBox, QPushButton
from pytestqt.qtbot import QtBot

from cxr_desktop.state.settings import PacsEntry, ViewerSettings
from cxr_desktop.window.settings_dialog import SettingsDialog
from tests.desktop.state.test_settings import CHANGED


def opened(qtbot: QtBot, settings: ViewerSettings) -> SettingsDialog:
    dialog = SettingsDialog(settings, ["cnn", "mobilenetv2"])
    qtbot.addWidget(dialog)
    return dialog


def ok_button(dialog: SettingsDialog) -> QPushButton:
    box = dialog.findChild(QDialogButtonBox)
    assert box is not None
    return box.button(QDialogButtonBox.StandardButton.Ok)


def test_settings_come_back_as_they_went_in(qtbot: QtBot) -> None:
    tls = PacsEntry("Safe", "TLS", "pacs.example", 2762, "ME", tls=True, tls_ca="ca.pem", tls_certificate="a.pem",
                    tls_key="a.key")  # fmt: skip
    system = PacsEntry("System", "TLS", "pacs.example", 2762, tls=True)
    given = replace(CHANGED, pacs=(*CHANGED.pacs, tls, system), model="of another machine")
    for settings in (ViewerSettings(), given):
        dialog = opened(qtbot, settings)
        assert dialog.settings() == settings
        assert ok_button(dialog).isEnabled()


def test_a_port_that_there_is_not_keeps_ok_off(qtbot: QtBot) -> None:
    dialog = opened(qtbot, CHANGED)
    item = dialog.pacs.table.item(0, 3)
    item.setText("many")
    assert not ok_button(dialog).isEnabled()
    item.setText("104")
    assert ok_button(dialog).isEnabled()
    assert dialog.settings().pacs[0].port == 104


def test_a_key_for_two_commands_keeps_ok_off(qtbot: QtBot) -> None:
    dialog = opened(qtbot, ViewerSettings())
    dialog.keys.set_key("ask", "F")
    assert not ok_button(dialog).isEnabled()
    dialog.keys.set_key("fit", "Shift+F")
    assert ok_button(dialog).isEnabled()
    assert dialog.settings().shortcuts == {"ask": "F", "fit": "Shift+F"}


def test_presets_are_added_changed_and_removed(qtbot: QtBot) -> None:
    dialog = opened(qtbot, ViewerSettings())
    add, remove = dialog.presets.findChildren(QPushButton)
    qtbot.mouseClick(add, Qt.MouseButton.LeftButton)
    dialog.presets.table.item(0, 2).setText("0")
    assert not ok_button(dialog).isEnabled()
    dialog.presets.table.item(0, 2).setText("500")
    assert [preset.width for preset in dialog.settings().presets] == [500]
    qtbot.mouseClick(remove, Qt.MouseButton.LeftButton)
    assert dialog.settings().presets == ()


def test_the_chosen_pacs_is_tried(qtbot: QtBot) -> None:
    dialog = opened(qtbot, CHANGED)
    button = dialog.pacs.findChildren(QPushButton)[2]
    with qtbot.waitSignal(dialog.tried) as told:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert told.args == [CHANGED.pacs[0]]
