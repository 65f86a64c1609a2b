"""What a header says is shown letter by letter."""

from __future__ import annotations

from PySide6.QtGui import Qt, QTextDocument

from cxr_desktop.panels.tips import tip


def test_a_name_that_looks_like_html_is_shown_as_it_is() -> None:
    named = "<b>DOE</b>\n<img src='file:///etc/passwd'>"
    document = QTextDocument()
    document.setHtml(tip(named))
    assert document.toPlainText().replace("\u2028", "\n") == named
    assert Qt.mightBeRichText(named)
    assert tip("SYNTHETIC & Co, 3 < 4") == "SYNTHETIC & Co, 3 < 4"
