"""Pictures are those of the core; batches are the same whenever they are made; augmentation keeps what it should."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr_core.preprocess import display_reduced, to_input
from cxr_core.reading import Source, read_image
from tests.training.test_dataset_and_split import write_look_alike
from training.augment import augment, without_chest
from training.datasets import DatasetError, Example, open_dataset
from training.input_batches import CHESTLESS, Batch, TrainingBatches, grey_of, greys_of
from training.pictures import OutputError, PictureStore, open_store, picture_of


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    folder = tmp_path_factory.mktemp("data")
    write_look_alike(folder, side=300)
    return list(open_dataset(folder).examples)


def store_of(folder: Path, examples: list[Example]) -> PictureStore:
    return open_store(folder, examples, skip_unreadable=False, progress=lambda items, total: items)[0]


@pytest.fixture(scope="module")
def store(examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> PictureStore:
    return store_of(tmp_path_factory.mktemp("cache"), examples)


def batches(store: PictureStore, examples: list[Example], **more: object) -> TrainingBatches:
    n = len(examples)
    told = {"batch_size": 16, "seed": 5, "augmented": True} | more
    ones, nothing = np.ones(n, np.float32), np.zeros((n, 2), np.float32)
    return TrainingBatches(store, examples, np.arange(n), ones, nothing, **told)  # type: ignore[arg-type]


def joined(made: list[Batch]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([batch.greys for batch in made]), np.concatenate([batch.targets for batch in made])


def test_input_of_a_picture_is_what_the_core_serves(store: PictureStore, examples: list[Example]) -> None:
    for example in examples[:5]:
        served = to_input(display_reduced(read_image(example.source.load())), "zero_to_one")[:, :, 0]
        np.testing.assert_allclose(grey_of(store[example]), served, atol=1.1 / 255)
        np.testing.assert_array_equal(store[example], picture_of(example))


def test_epoch_holds_every_film_once_in_an_order_of_its_own(store: PictureStore, examples: list[Example]) -> None:
    made = batches(store, examples, augmented=False)
    first, second = (joined(list(made.epoch(number)))[1] for number in (0, 1))
    assert sorted(first) == sorted(second) == list(range(len(examples)))
    assert list(first) != list(second)
    assert len(made) == len(list(made.epoch(0)))


def test_epoch_does_not_depend_on_what_ran_before(store: PictureStore, examples: list[Example]) -> None:
    after_others = batches(store, examples)
    list(after_others.epoch(0))
    pictures, order = joined(list(after_others.epoch(3)))
    again, order_again = joined(list(batches(store, examples).epoch(3)))
    np.testing.assert_array_equal(order, order_again)
    np.testing.assert_array_equal(pictures, again)
    other_seed, _ = joined(list(batches(store, examples, seed=6).epoch(3)))
    assert not np.array_equal(pictures, other_seed)


def test_without_augmentation_films_are_as_they_are(store: PictureStore, examples: list[Example]) -> None:
    pictures, order = joined(list(batches(store, examples, augmented=False).epoch(0)))
    plain = np.concatenate(list(greys_of(store, examples)))
    np.testing.assert_array_equal(pictures, plain[order])


def test_breaking_off_ends_the_thread(store: PictureStore, examples: list[Example]) -> None:
    import threading

    epoch = batches(store, examples, batch_size=1).epoch(0)
    next(epoch)
    epoch.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "batches"]


def test_error_in_the_thread_reaches_the_caller(store: PictureStore, examples: list[Example]) -> None:
    def lost() -> bytes:
        raise AssertionError

    stranger = Example(Source("train/NORMAL/other.jpeg", lost), (0,), "p", "0" * 64)
    with pytest.raises(KeyError):
        list(batches(store, [*examples[:3], stranger]).epoch(0))


def test_kept_store_is_used_again(tmp_path: Path, examples: list[Example]) -> None:
    store_of(tmp_path, examples)

    def untouchable() -> bytes:
        raise AssertionError("decoded again")

    again = [Example(Source(e.source.name, untouchable), e.target, e.patient, e.sha256) for e in examples]
    np.testing.assert_array_equal(store_of(tmp_path, again)[again[0]], picture_of(examples[0]))


def test_unreadable_films_are_named_and_nothing_is_kept(tmp_path: Path, examples: list[Example]) -> None:
    broken = [Example(Source(f"b{n}.jpeg", lambda: b"\xff\xd8\xff"), (0,), "p", f"{n:064d}") for n in range(7)]
    with pytest.raises(DatasetError, match=r"7 of \d+ images that cannot be read: b0\.jpeg .*b4\.jpeg .* and 2 more"):
        store_of(tmp_path, examples + broken)
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):  # made, and found again
        _, readable = open_store(tmp_path, examples + broken, skip_unreadable=True, progress=lambda items, n: items)
        assert readable == examples


def test_disk_that_fills_up_leaves_no_half_store(
    tmp_path: Path, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"No space left on device.*free space there"):
        store_of(tmp_path, examples)
    assert list(tmp_path.iterdir()) == []


def chest(side: int = 224) -> np.ndarray:
    """Bright on the picture's right, as the heart is, with texture."""
    picture = np.tile(np.linspace(60, 180, side), (side, 1))
    return (picture + np.random.default_rng(0).normal(0, 8, (side, side))).astype(np.uint8)


def test_augmentation_never_flips() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        middle = augment(chest(), chest(), rng)[60:90, 27:123].astype(float)
        assert middle[:, -20:].mean() > middle[:, :20].mean()


def test_augmentation_changes_position_tone_and_sharpness_but_leaves_a_picture() -> None:
    rng = np.random.default_rng(3)
    original = chest()
    variants = [augment(original, original, rng) for _ in range(60)]
    assert all(v.dtype == np.uint8 and v.shape == (150, 150) for v in variants)
    means = [v.mean() for v in variants]
    assert np.std(means) > 10
    sharpness = [cv2.Laplacian(v[40:107, 40:107], cv2.CV_64F).std() for v in variants]
    assert max(sharpness) > 3 * min(sharpness)
    assert min(v[40:107, 40:107].std() for v in variants) > 2
    np.testing.assert_array_equal(original, chest())


def test_augmentation_borrows_borders_but_never_the_middle_of_another_film() -> None:
    rng = np.random.default_rng(4)
    grey, white = np.full((224, 224), 100, np.uint8), np.full((224, 224), 255, np.uint8)
    borrowed = 0
    for _ in range(200):
        seed = rng.integers(2**31)
        same, other = (augment(grey, film, np.random.default_rng(seed)) for film in (grey, white))
        changed = same != other
        assert not changed[20:130, 20:130].any()
        borrowed += bool(changed.any())
    assert 20 < borrowed < 90  # a quarter, of which some have no border at all


def test_without_chest_nothing_of_the_middle_is_left() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        erased = without_chest(chest(150), rng)
        assert np.ptp(erased[28:122, 28:122]) == 0
        np.testing.assert_array_equal(erased[:7], chest(150)[:7])


def test_chestless_films_carry_a_label_by_lot_and_the_weight_of_one(
    store: PictureStore, examples: list[Example]
) -> None:
    n = len(examples)
    made = TrainingBatches(
        store,
        examples,
        np.ones(n, np.int64),
        np.full(n, 3, np.float32),
        np.full((n, 2), 0.5, np.float32),
        batch_size=16,
        seed=1,
        augmented=True,
    )
    chestless = {0: 0, 1: 0}
    films = 0
    for number in range(40):
        for batch in made.epoch(number):
            films += len(batch.targets)
            for grey, target, weight, teacher in zip(*map(list, vars_of(batch)), strict=True):
                if weight == 1:
                    chestless[int(target)] += 1
                    assert np.ptp(grey[28:122, 28:122]) == 0
                    assert not teacher.any()
                else:
                    assert (target, weight) == (1, 3)
                    assert np.ptp(grey[28:122, 28:122]) > 0
    share = sum(chestless.values()) / films
    assert 0.6 * CHESTLESS < share < 1.4 * CHESTLESS
    assert min(chestless.values()) > 0.3 * sum(chestless.values())


def vars_of(batch: Batch) -> tuple[np.ndarray, ...]:
    return batch.greys, batch.targets, batch.weights, batch.teacher
