"""The workflows of an image and of a study over a model that does as the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cxr_core.results.records import PreviousReport
from dicom_node.destinations.choose import Destinations
from dicom_node.settings import settings_of
from dicom_node.store import completions, images, orders
from dicom_node.store.encoded import EncodedResult
from dicom_node.store.quarantine import Quarantine
from dicom_node.work.analyse import AnalyseImage
from dicom_node.work.complete import CompleteStudy, NotNowError
from dicom_node.work.messages import Encode, Encoded, Failed, NotNow
from dicom_node.work.model_process import WorkerDiedError
from tests.node.rows import Rows, deliveries, instances, results, studies

REPORT = EncodedResult("sr", "1.2.4", "2.25.901", "2.25.8", 1, "2.25.901.dcm", 2, "digest", False)


class Model:
    """Stands in for ModelProcess; counts attempts as it does."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.asked: list[tuple[str, bool]] = []
        self.encoded: list[Encode] = []
        self.answer: Callable[[str], str] = lambda key: "{}"
        self.reply: Callable[[], Encoded | Failed | NotNow] = lambda: Encoded((REPORT,), {})

    def analyse(self, key: str, path: Path, *, alone: bool) -> str:
        assert path.exists()
        self.asked.append((key, alone))
        images.count_attempts(self._rows.engine, [key])
        return self.answer(key)

    def encode(self, request: Encode) -> Encoded | Failed | NotNow:
        self.encoded.append(request)
        return self.reply()


class World:
    def __init__(self, root: Path) -> None:
        self.rows = Rows(root)
        self.model = Model(self.rows)
        destinations = Destinations(settings_of({}, "test"), self.rows.folder)
        engine, folder = self.rows.engine, self.rows.folder
        self.analyse = AnalyseImage(engine, folder, self.model, 3)  # type: ignore[arg-type]
        self.complete = CompleteStudy(engine, folder, self.model, destinations, 3)  # type: ignore[arg-type]

    def queued_image(self, study: str = "2.25.1", **options: str) -> str:
        key = self.rows.image(study, **options)
        with self.rows.engine.begin() as connection:
            assert images.mark_queued(connection, key, 0)
        return key

    def queued_study(self, study: str = "2.25.1") -> None:
        row = self.rows.one(studies, study_uid=study)
        with self.rows.engine.begin() as connection:
            completions.mark_queued(connection, study, row.revision, row.run)

    def died(self, *_: object) -> str:
        raise WorkerDiedError


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.rows.engine.dispose()


def test_an_image_gets_its_answer(world: World) -> None:
    key = world.queued_image()
    world.analyse(key, 0)
    row = world.rows.one(instances)
    assert (row.state, row.answer, row.attempts) == ("answered", "{}", 0)
    world.analyse(key, 0)
    assert len(world.model.asked) == 1, "a repeat does nothing"


def test_a_workflow_of_an_earlier_run_does_nothing(world: World) -> None:
    key = world.queued_image()
    assert images.put_back(world.rows.engine, key, 0)
    world.analyse(key, 0)
    assert world.model.asked == []


def test_an_image_that_was_there_when_the_process_ended_goes_alone(world: World) -> None:
    key = world.queued_image()
    answers = iter([WorkerDiedError(), "{}"])

    def answer(_key: str) -> str:
        value = next(answers)
        if isinstance(value, Exception):
            raise value
        return value

    world.model.answer = answer
    world.analyse(key, 0)
    assert world.model.asked == [(key, False), (key, True)]
    assert world.rows.one(instances).state == "answered"


def test_a_poisoned_image_is_set_aside_after_so_many_attempts_and_can_be_released(world: World) -> None:
    key = world.queued_image()
    world.model.answer = world.died
    world.analyse(key, 0)
    assert len(world.model.asked) == 3
    row = world.rows.one(instances)
    assert (row.state, row.reason) == ("set_aside", "it ended the model process 3 times")
    place = Quarantine(world.rows.folder)
    (entry,) = place.entries()
    assert (entry.name, entry.instance, entry.reason) == (key, key, row.reason)
    assert place.path(key).read_bytes() == b"film"
    assert orders.try_image_again(world.rows.engine, key)
    assert (world.rows.one(instances).attempts, world.rows.one(instances).deaths) == (0, 0)


def test_one_death_sets_nobody_aside_whatever_the_setting(world: World) -> None:
    """It may have been a neighbour's."""
    strict = AnalyseImage(world.rows.engine, world.rows.folder, world.model, 1)  # type: ignore[arg-type]
    key = world.queued_image()
    images.count_attempts(world.rows.engine, [key])
    images.count_death(world.rows.engine, key)
    strict(key, 0)
    assert world.model.asked == [(key, True)]
    assert world.rows.one(instances).state == "answered"


def test_deaths_outlive_the_work_process(world: World) -> None:
    key = world.queued_image()
    world.rows.change(instances, attempts=2, deaths=2)
    world.model.answer = world.died
    world.analyse(key, 0)
    assert world.model.asked == [(key, True)]
    assert world.rows.one(instances).state == "set_aside"


def test_deaths_of_the_whole_node_count_less(world: World) -> None:
    key = world.queued_image()
    world.rows.change(instances, attempts=14)
    world.analyse(key, 0)
    assert world.rows.one(instances).state == "answered"
    key = world.queued_image()
    world.rows.change(instances, attempts=15)
    world.analyse(key, 0)
    assert world.rows.one(instances, key=key).reason == "the node ended 15 times while it was analysed"


def test_an_image_whose_file_is_gone_is_set_aside(world: World) -> None:
    key = world.queued_image()
    (world.rows.folder.objects / f"{key}.dcm").unlink()
    world.analyse(key, 0)
    assert (world.rows.one(instances).state, world.rows.one(instances).reason) == ("set_aside", "its file is gone")


def test_a_cancelled_image_keeps_no_answer(world: World) -> None:
    key = world.queued_image()
    world.model.answer = lambda key: (orders.cancel(world.rows.engine, world.rows.folder, 9e9, "2.25.1", None), "{}")[1]
    world.analyse(key, 0)
    assert (world.rows.one(instances).state, world.rows.one(instances).answer) == ("cancelled", None)


def test_a_study_gets_results_and_deliveries_at_once(world: World) -> None:
    world.analyse(world.queued_image(), 0)
    world.queued_study()
    world.complete("2.25.1", 1, 0)
    study, result, delivery = world.rows.one(studies), world.rows.one(results), world.rows.one(deliveries)
    assert (study.completed_revision, study.attempts) == (1, 0)
    assert (result.sop_instance_uid, result.kind, result.revision) == ("2.25.901", "sr", 1)
    assert (delivery.result_uid, delivery.destination, delivery.state) == ("2.25.901", "results", "waiting")
    world.complete("2.25.1", 1, 0)
    assert len(world.model.encoded) == 1, "a repeat does nothing"


def test_a_repeat_records_nothing_twice(world: World) -> None:
    world.analyse(world.queued_image(), 0)
    world.queued_study()
    world.complete("2.25.1", 1, 0)
    world.rows.change(deliveries, state="delivered")
    world.rows.change(studies, completed_revision=0)
    world.complete("2.25.1", 1, 0)  # as if its last transaction had been undone in part
    assert [row.state for row in world.rows.all(deliveries)] == ["delivered"]
    assert len(world.rows.all(results)) == 1


def test_the_newest_version_of_an_image_counts(world: World) -> None:
    old, new = world.queued_image(uid="2.25.50"), world.queued_image(uid="2.25.50")
    other = world.queued_image(uid="2.25.51")
    for key in (old, new, other):
        world.analyse(key, 0)
    world.queued_study()
    world.complete("2.25.1", 3, 0)
    assert [image.key for image in world.model.encoded[0].images] == [new, other]


def test_a_revision_knows_only_its_own_images_and_its_predecessor(world: World) -> None:
    first = world.queued_image()
    world.analyse(first, 0)
    world.queued_study()
    late = world.queued_image()
    world.analyse(late, 0)
    world.complete("2.25.1", 1, 0)
    assert [image.key for image in world.model.encoded[0].images] == [first]
    assert world.model.encoded[0].previous is None
    world.queued_study()
    world.complete("2.25.1", 2, 0)
    assert [image.key for image in world.model.encoded[1].images] == [first, late]
    assert world.model.encoded[1].previous == PreviousReport("2.25.901", "2.25.8", 1)


def test_an_answer_of_an_earlier_model_is_replaced(world: World) -> None:
    key = world.queued_image()
    world.analyse(key, 0)
    world.queued_study()
    world.model.reply = lambda: Encoded((REPORT,), {key: '{"new": 1}'})
    world.complete("2.25.1", 1, 0)
    assert world.rows.one(instances).answer == '{"new": 1}'


def test_a_study_that_ends_the_process_is_set_aside(world: World) -> None:
    world.analyse(world.queued_image(), 0)
    world.queued_study()
    world.model.reply = world.died  # type: ignore[assignment]
    world.complete("2.25.1", 1, 0)
    assert len(world.model.encoded) == 3
    study = world.rows.one(studies)
    assert (study.state, study.reason) == ("set_aside", "it ended the model process 3 times")
    assert orders.retry(world.rows.engine, 0, None, None)["studies"] == 1
    assert world.rows.one(studies).state == "open"


def test_results_that_cannot_be_written_now_are_made_later(world: World) -> None:
    world.analyse(world.queued_image(), 0)
    world.queued_study()
    world.model.reply = lambda: NotNow("OSError (No space left on device)")
    for _ in range(5):
        with pytest.raises(NotNowError):
            world.complete("2.25.1", 1, 0)
    assert (world.rows.one(studies).attempts, world.rows.one(studies).state) == (0, "open")


def test_results_that_cannot_be_made_set_the_study_aside(world: World) -> None:
    world.analyse(world.queued_image(), 0)
    world.queued_study()
    world.model.reply = lambda: Failed("images of 2 studies")
    world.complete("2.25.1", 1, 0)
    assert (world.rows.one(studies).state, world.rows.one(studies).reason) == ("set_aside", "images of 2 studies")


def test_a_released_image_makes_a_further_revision(world: World) -> None:
    good, bad = world.queued_image(), world.queued_image()
    world.analyse(good, 0)
    world.model.answer = world.died
    world.analyse(bad, 0)
    world.queued_study()
    world.complete("2.25.1", 2, 0)
    assert orders.try_image_again(world.rows.engine, bad)
    study = world.rows.one(studies)
    assert (study.revision, study.completed_revision) == (3, 2)
    assert world.rows.one(instances, key=bad).study_revision == 3
