"""Reports: everything that has to be said is there, on one page, whatever its length, and as text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage, QPainter

from cxr_core.errors import OutputError
from cxr_desktop.output import report
from cxr_desktop.output.picture import PictureOptions, ShownFilm, picture_of
from cxr_desktop.output.report import PAGE, PICTURE_SIDE, paint_report, report_pdf, write_report
from cxr_desktop.output.report_text import STATEMENT, ReportText, report_text
from cxr_desktop.state.answers import Answer
from cxr_desktop.state.display import flipped_horizontally
from cxr_desktop.state.opinion import Opinion
from cxr_desktop.state.windowing import initial_display
from cxr_desktop.views.heat_map import HeatMapLayer
from tests.desktop import answers_builder
from tests.desktop.answers_builder import cam, negative, of_findings, positive, refused, wrong_population
from tests.desktop.films import film
from tests.dicom_builder import gradient

pytestmark = pytest.mark.usefixtures("qapp")

MADE = datetime(2026, 1, 2, 10, 15, tzinfo=timezone(timedelta(hours=1)))
OPINION = Opinion("reject", "scatter only", "", "cnn", "0.4.0", "c" * 64, True, 12.4, "")
WORDS = (("Length: 86.4 mm at the detector", "a comment", "⚠ Reaches beyond the image"), ("Angle: 12.3°",))


def shown(**record: str) -> ShownFilm:
    loaded = film(gradient(420, 360))
    held = {"patient_name": "SYNTHETIC^TEST", "patient_id": "SYNTHETIC-T", "study_date": "20260101"} | record
    loaded = replace(loaded, record=replace(loaded.record, **held))
    return ShownFilm(loaded, initial_display(loaded), HeatMapLayer(cam()), None, WORDS)


def words_for(
    answers: list[Answer], film: ShownFilm | None = None, options: PictureOptions | None = None
) -> ReportText:
    return report_text(film or shown(), answers, [OPINION], options or PictureOptions(), MADE)


def lines_of(words: ReportText) -> str:
    return "\n".join(line.text for part in (words.patient, words.answers, words.measurements) for line in part)


def test_all_is_said() -> None:
    words = words_for([positive()])
    said = lines_of(words)
    for wanted in (
        "SYNTHETIC, TEST",
        "SYNTHETIC-T",
        "2026-01-01",
        "score 0.93",
        "cnn",
        answers_builder.manifest().version,
        "cnn".ljust(64, "0"),
        "scores hold where 50 % of the patients have PNEUMONIA",
        "children of 1 to 5 years",
        "Reject, before an answer was seen, after 12 s: scatter only",
        "1. Length: 86.4 mm at the detector",
        "a comment",
        "Reaches beyond the image",
        "2. Angle: 12.3°",
        "view unknown",
    ):
        assert wanted in said
    assert "map of the model's attention, not a lesion outline" in words.picture
    assert words.made == "Made 2026-01-02 10:15 (UTC+0100) by CXR assistant"
    flipped = shown()
    flipped = replace(flipped, display=flipped_horizontally(flipped.display))
    assert words_for([], flipped).picture.startswith("FLIPPED")


def test_what_is_withheld_refused_or_not_asked_is_said_as_such() -> None:
    assert "Verdict withheld" in lines_of(words_for([wrong_population()]))
    assert "Not analysed, refused: lateral view" in lines_of(words_for([refused()]))
    assert "no model was asked" in lines_of(words_for([]))
    both = lines_of(words_for([positive(), negative(name="mobilenetv2")]))
    assert "Model cnn" in both
    assert "Model mobilenetv2" in both


def test_without_patient_text_nothing_of_the_header_is_in_it() -> None:
    hidden = PictureOptions(patient_text=False)
    one, other = shown(), shown(patient_name="OTHER^PERSON", patient_id="77", study_description="Thorax 77")
    assert words_for([positive()], one, hidden) == words_for([positive()], other, hidden)


def test_a_pdf_of_one_page_with_text_as_text() -> None:
    words = words_for([positive()])
    pdf = report_pdf(words, picture_of(shown(), PictureOptions(), max_side=PICTURE_SIDE))
    assert pdf.startswith(b"%PDF-")
    assert re.findall(rb"/Type /Page\b", pdf) == [b"/Type /Page"]
    box = re.search(rb"/MediaBox \[\s*0 0 (\d+)\S* (\d+)", pdf)
    assert box is not None
    assert (int(box[1]), int(box[2])) == (595, 842)  # A4 in points
    assert b"/FontFile2" in pdf
    assert b"SYNTHETIC" not in pdf  # no metadata of the patient


LONG = "averylongnamewithoutanyplacetobreakitat" * 12


@pytest.mark.parametrize("film_shape", [(420, 360), (200, 900), (900, 200)])
@pytest.mark.parametrize("much", [False, True])
def test_everything_stays_within_the_margins_of_the_page(much: bool, film_shape: tuple[int, int]) -> None:
    held = shown()
    loaded = film(gradient(*film_shape))
    held = replace(held, loaded=replace(loaded, record=held.loaded.record), display=initial_display(loaded))
    answers = [positive()]
    if much:
        record = replace(held.loaded.record, patient_name=LONG, study_description=LONG, institution=LONG)
        many = tuple((f"Length: {LONG}", LONG, f"⚠ {LONG}") for _ in range(60))
        held = replace(held, loaded=replace(held.loaded, record=record), measurement_words=many)
        answers = [wrong_population(), of_findings(*[n / 100 for n in range(99)]), positive(), refused()]
    words = words_for(answers, held)
    pixels = painted(words, picture_of(held, PictureOptions(), max_side=400))
    dark = pixels < 250
    per_mm = pixels.shape[1] / PAGE[0]
    margin = round(14.5 * per_mm)
    for edge in (dark[:margin], dark[-margin:], dark[:, :margin], dark[:, -margin:]):
        assert not edge.any()
    foot = slice(round(275.1 * per_mm), round(275.7 * per_mm))  # between what is said and the last rule
    assert not dark[foot].any()
    if much:
        assert len(pixels[dark]) > 10_000
        assert report_pdf(words, picture_of(held, PictureOptions(), max_side=400)).count(b"/Type /Page\n") == 1


def painted(words: ReportText, picture: QImage) -> np.ndarray:
    """The page as grey values."""
    dpi = 100
    page = QImage(round(PAGE[0] / 25.4 * dpi), round(PAGE[1] / 25.4 * dpi), QImage.Format.Format_Grayscale8)
    page.fill(255)
    painter = QPainter(page)
    paint_report(painter, dpi, words, picture)
    painter.end()
    pixels = np.frombuffer(page.constBits(), np.uint8).reshape(page.height(), page.bytesPerLine())
    return pixels[:, : page.width()].copy()


def test_what_does_not_fit_is_counted() -> None:
    many = tuple((f"Length: {n} mm",) for n in range(300))
    words = words_for([positive()], replace(shown(), measurement_words=many))
    page = QImage(800, 1100, QImage.Format.Format_RGB32)
    painter = QPainter(page)
    document = report._Page(painter, 96)._fitting(words.measurements, 600, 200, report._INK)
    painter.end()
    texts = document.toPlainText().splitlines()
    assert document.size().height() <= 200
    assert texts[0] == "Measurements"
    assert texts[-1] == f"⚠ ... {301 - (len(texts) - 1)} more lines do not fit on this page; see the viewer"


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    picture = picture_of(shown(), PictureOptions(), max_side=300)
    write_report(words_for([]), picture, tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")
    with pytest.raises(OutputError, match="not there"):
        write_report(words_for([]), picture, tmp_path / "gone" / "report.pdf")


def test_the_statement_is_the_agreed_one() -> None:
    assert STATEMENT == "Research use only, not for diagnosis. Nothing else was assessed."
