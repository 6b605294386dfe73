"""Everybody who keeps something of people signs up here, and is asked when somebody wants to see or delete it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHORTEST_NAME = 2  # a name of one letter is a word in everybody's sentences


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose data is meant: what is theirs by `id`, with every name they were known by, up to `until`."""

    id: int
    names: frozenset[str] = frozenset()
    until: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class About:
    """What one owner has of a person."""

    lines: Sequence[str] = ()  # sentences for them
    names: frozenset[str] = frozenset()  # that they were known by


class DataOwner(Protocol):
    """A room that keeps data of people. Each method must be harmless when there is nothing, and when called twice."""

    async def describe_person(self, person: Person) -> About:
        """Say what is kept of a person."""
        ...

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Return what is kept of a person, as files by their names; nothing of anybody else."""
        ...

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Delete what is kept of a person, with everything derived from it.

        Returns:
            Sentences that say what was deleted; none if there was nothing.

        Raises:
            ParleyError: Something could not be deleted; its sentence says what, and what was all the same.
        """
        ...
