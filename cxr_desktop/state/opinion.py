"""A reader's opinion on an answer, and the clock that knows whether it came before the answer was shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from cxr_core.prediction import ModelIdentity

Judgement = Literal["agree", "reject", "unsure"]
JUDGEMENTS: tuple[Judgement, ...] = get_args(Judgement)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a reader thinks of the answer to one image."""

    judgement: Judgement
    comment: str
    sop_instance_uid: str
    """Empty of JPEG and PNG, which have none."""

    model: str
    """Name of the bundle; empty, as version and digest, where no model had answered yet."""

    version: str
    sha256: str
    before_ai: bool
    """Whether the opinion came before any answer was shown."""

    seconds: float
    """From when the image was shown to the opinion."""

    given: str
    """When, ISO 8601 in UTC."""

    def to_json(self) -> dict[str, Any]:
        """As Index.put_opinion takes it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Opinion:
        """The opinion that `to_json` gave. Raises KeyError or TypeError for anything else."""
        return cls(**document)


class ReadingClock:
    """When the image and the model's answer were first shown. One for each image that is on screen.

    Times are those of a monotonic clock in seconds, given by whoever calls.
    """

    def __init__(self) -> None:
        self._image: float | None = None
        self._answer: float | None = None

    def image_shown(self, now: float) -> None:
        """Another image is on screen: everything begins again."""
        self._image, self._answer = now, None

    def answer_shown(self, now: float) -> None:
        """An answer to it, or a map, is on screen; the first counts."""
        if self._answer is None:
            self._answer = now

    def nothing_shown(self) -> None:
        """No image is on screen any more."""
        self._image = self._answer = None

    @property
    def running(self) -> bool:
        """Whether an image is on screen."""
        return self._image is not None

    @property
    def before_ai(self) -> bool:
        """Whether no answer to this image has been shown yet."""
        return self._answer is None

    def opinion(
        self,
        judgement: Judgement,
        comment: str,
        sop_instance_uid: str | None,
        model: ModelIdentity | None,
        now: float,
    ) -> Opinion:
        """The opinion given now; an image has to be on screen."""
        assert self._image is not None, "no opinion without an image"
        return Opinion(
            judgement=judgement,
            comment=comment.strip(),
            sop_instance_uid=sop_instance_uid or "",
            model="" if model is None else model.name,
            version="" if model is None else model.version,
            sha256="" if model is None else model.sha256,
            before_ai=self.before_ai,
            seconds=round(now - self._image, 1),
            given=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def opinion_words(opinion: Opinion) -> str:
    """One line on an opinion that was kept."""
    whose = f" of {opinion.model} {opinion.version}" if opinion.model else ""
    when = "before an answer was seen" if opinion.before_ai else f"with the answer{whose} in sight"
    line = f"{opinion.judgement.capitalize()}, {when}, after {opinion.seconds:.0f} s"
    return f"{line}: {opinion.comment}" if opinion.comment else line
