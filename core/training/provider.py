"""What the trainer needs of whoever trains models: a seam, so that a provider is an adapter and no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from core.errors import TrainingError

if TYPE_CHECKING:
    from core.training.checks import Format

Method = Literal["supervised", "dpo"]
FORMAT_OF: dict[Method, Format] = {"supervised": "openai", "dpo": "dpo"}
OVER = ("succeeded", "failed", "cancelled")


class ProviderError(TrainingError):
    """The provider refuses, or cannot be reached; `gone`: it does not know what was asked about."""

    def __init__(self, sentence: str, *, gone: bool = False) -> None:
        super().__init__(sentence)
        self.gone = gone


@dataclass(frozen=True, slots=True)
class ProviderJob:
    """How a job is; `told` is what the provider said last, `error` why it failed; both untrusted text."""

    id: str
    state: str  # "validating_files", "queued", "running", "succeeded", "failed", "cancelled"
    model: str = ""  # that came of it
    told: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class JobWish:
    """What is to be trained. `mark` finds the job again if its number was lost."""

    base: str
    method: Method
    training_file: str
    test_file: str | None
    suffix: str
    mark: str


class Provider(Protocol):
    """Trains models for a route of the configuration; every method may raise a `ProviderError` in the provider's words."""

    async def upload(self, route: str, name: str, data: bytes) -> str:
        """Send a file of training lines; returns its id there."""
        ...

    async def start(self, route: str, wish: JobWish) -> str:
        """Begin a job; returns its id there."""
        ...

    async def find(self, route: str, mark: str) -> str | None:
        """The id of the job that carries a mark, if there is one."""
        ...

    async def look(self, route: str, job_id: str) -> ProviderJob:
        """How a job is."""
        ...

    async def cancel(self, route: str, job_id: str) -> None:
        """End a job; one that is over already stays as it is."""
        ...

    async def delete_file(self, route: str, file_id: str) -> None:
        """Delete a file; one that is not there any more is deleted."""
        ...

    def offer(self, route: str, name: str, model: str) -> bool:
        """Make a model a route of this name, beside the one it was trained with; whether it can answer at once."""
        ...
