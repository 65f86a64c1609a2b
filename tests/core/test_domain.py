"""The domain check of the shipped bundle on drawn chests and on what is none; its file; its scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr_core.bundle import DOMAIN, find_bundle
from cxr_core.domain import DomainCheck, features, gradient_grid
from cxr_core.errors import BundleError
from cxr_core.phantom import PhantomSettings, display_values
from cxr_core.preprocess import to_input


@pytest.fixture(scope="module")
def check() -> DomainCheck:
    return DomainCheck.load(find_bundle().folder / DOMAIN)


def _chest(seed: int) -> np.ndarray:
    return to_input(display_values(PhantomSettings(640, 720, seed=seed)), "zero_to_one")[:, :, 0]


CHESTS = [_chest(seed) for seed in (1, 11)]


def _noise(grey: np.ndarray) -> np.ndarray:
    return np.random.default_rng(3).random(grey.shape, dtype=np.float32)


def _text(grey: np.ndarray) -> np.ndarray:
    page = np.full(grey.shape, 255, np.uint8)
    for line in range(12, 150, 12):
        cv2.putText(page, "words on a page", (4, line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 0, 1)
    return page.astype(np.float32) / 255


def _stripes(grey: np.ndarray) -> np.ndarray:
    return np.repeat((np.arange(150) // 10 % 2).astype(np.float32)[None], 150, axis=0)


NOT_A_CHEST: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rotated by 90 degrees": np.rot90,
    "rotated by 180 degrees": lambda grey: np.rot90(grey, 2),
    "rotated by 270 degrees": lambda grey: np.rot90(grey, 3),
    "inverted": lambda grey: 1 - grey,
    "left half": lambda grey: cv2.resize(np.ascontiguousarray(grey[:, :75]), (150, 150)),
    "upper half": lambda grey: cv2.resize(np.ascontiguousarray(grey[:75]), (150, 150)),
    "noise": _noise,
    "text": _text,
    "stripes": _stripes,
    "blank": lambda grey: np.full(grey.shape, 0.4, np.float32),
}


@pytest.mark.parametrize("grey", CHESTS)
def test_a_drawn_chest_is_in_domain(check: DomainCheck, grey: np.ndarray) -> None:
    result = check(grey)
    assert result.in_domain
    assert result.score <= 1
    assert result.reason is None


@pytest.mark.parametrize("kind", NOT_A_CHEST)
def test_what_is_no_upright_whole_chest_is_out_of_domain(check: DomainCheck, kind: str) -> None:
    for grey in CHESTS:
        result = check(np.ascontiguousarray(NOT_A_CHEST[kind](grey)))
        assert not result.in_domain
        assert result.score > 1
        assert result.reason


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("rotated by 90 degrees", "looks rotated by 90 degrees to the left"),
        ("rotated by 180 degrees", "looks rotated by 180 degrees"),
        ("rotated by 270 degrees", "looks rotated by 90 degrees to the right"),
        ("inverted", "looks inverted"),
        ("blank", "blank picture"),
        ("noise", "brightness or contrast unlike those of the films that the model was trained on"),
    ],
)
def test_the_reason_says_what_would_help(check: DomainCheck, kind: str, reason: str) -> None:
    assert check(np.ascontiguousarray(NOT_A_CHEST[kind](CHESTS[0]))).reason == reason


@pytest.mark.parametrize("part", [0, 1, 2], ids=["distance", "tone", "framing"])
def test_the_score_exceeds_1_exactly_when_out_of_domain(check: DomainCheck, part: int) -> None:
    """All limits moved to just above and just below the picture's own score."""
    raw = check.typical + check.scores(features(CHESTS[0])[None])[0] * (check.limit - check.typical)
    far = np.abs(raw) * 10 + check.limit + 10
    for factor, inside in ((1.01, True), (0.99, False)):
        limit = far.copy()
        limit[part] = check.typical[part] + (raw - check.typical)[part] * factor
        moved = replace(check, limit=limit.astype(np.float32))
        if raw[part] <= check.typical[part]:  # the picture is nearer than typical: only its typical value can move
            typical = check.typical.copy()
            typical[part] = raw[part] - 1
            limit[part] = typical[part] + factor
            moved = replace(check, typical=typical, limit=limit.astype(np.float32))
        result = moved(CHESTS[0])
        assert result.in_domain is inside
        assert (result.score > 1) is not inside


def test_typical_is_0_and_the_limit_is_1(check: DomainCheck) -> None:
    grid = features(CHESTS[0])[None]
    raw = check.typical + check.scores(grid)[0] * (check.limit - check.typical)
    np.testing.assert_allclose(replace(check, limit=raw).scores(grid), 1, rtol=0, atol=1e-4)
    np.testing.assert_allclose(replace(check, typical=raw).scores(grid), 0, rtol=0, atol=1e-4)


def test_brightness_and_contrast_cancel_out(check: DomainCheck) -> None:
    plain = check.scores(features(CHESTS[0])[None])[0]
    darker = check.scores(features((CHESTS[0] * 0.8 + 0.1).astype(np.float32))[None])[0]
    np.testing.assert_allclose(darker[[0, 2]], plain[[0, 2]], rtol=0, atol=0.15)
    assert darker[1] != plain[1]  # the tone score is there to see it
    assert gradient_grid(CHESTS[0]).shape == check.mean.shape == (8 * 12 * 12,)


def test_saved_and_loaded_it_answers_the_same(check: DomainCheck, tmp_path: Path) -> None:
    check.save(tmp_path / "domain.npz")
    again = DomainCheck.load(tmp_path / "domain.npz")
    for field in fields(DomainCheck):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(check, field.name))
    for grey in CHESTS:
        assert again(grey) == check(grey)


def test_a_damaged_file_is_a_bundle_error(check: DomainCheck, tmp_path: Path) -> None:
    path = tmp_path / "domain.npz"
    check.save(path)
    whole = path.read_bytes()
    np.savez(tmp_path / "other.npz", mean=check.mean)
    for name, data in (("domain.npz", whole[: len(whole) // 2]), ("text.npz", b"no archive"), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(data)
    for name in ("domain.npz", "text.npz", "empty.npz", "other.npz", "absent.npz"):
        with pytest.raises(BundleError, match="a damaged domain check"):
            DomainCheck.load(tmp_path / name)
