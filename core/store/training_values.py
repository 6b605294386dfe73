"""What the trainer keeps, as values: they travel to other processes, which know nothing of the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a prompt; `name` is who said it, where that is known."""

    role: str
    content: str
    name: str = ""

    def to_json(self) -> dict[str, str]:
        """As it is kept."""
        told = {"role": self.role, "content": self.content}
        return told | {"name": self.name} if self.name else told


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: the prompt that made it, how the model was asked, what came, and whose words the prompt holds."""

    guild_id: int
    channel_id: int
    conversation: str
    turn_id: str
    messages: tuple[Line, ...]
    reply: str
    route: str
    model: str
    temperature: float | None
    at: datetime
    people: Mapping[int, str] = field(default_factory=dict[int, str])
    message_ids: tuple[int, ...] = ()
    id: int = 0


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A data set of a server. `selected`: what people judge goes into it."""

    id: int
    guild_id: int
    name: str
    made_by: int | None
    made_at: datetime
    archived_at: datetime | None = None
    selected: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt with a good answer (`chosen`), a bad one (`rejected`), or both; and where it comes from.

    `conversation` names what it was said in: a split keeps that together. `people` are those whose words it holds.
    """

    guild_id: int
    conversation: str
    messages: tuple[Line, ...]
    source: str
    at: datetime
    chosen: str | None = None
    rejected: str | None = None
    note: str = ""
    answer_id: int | None = None
    by_id: int | None = None
    route: str = ""
    model: str = ""
    temperature: float | None = None
    people: Mapping[int, str] = field(default_factory=dict[int, str])
    id: int = 0
    set_id: int = 0


@dataclass(frozen=True, slots=True)
class PeopleOf:
    """Whose words an example holds, without the words."""

    id: int
    guild_id: int
    people: frozenset[int]
