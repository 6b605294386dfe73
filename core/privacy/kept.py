"""Keeps what the database could not take: decisions and deletions that are still owed, in a small file that survives."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core import private
from core.errors import StoreError
from core.store.decisions import Decided, Decision, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE = "owed_to_people.json"
UNREADABLE = (
    "The file {name} beside the recordings holds what people decided, and cannot be read. I do not start without it: "
    "put it right, or delete it if you know that nobody's refusal is in it."
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeptDecision(_Part):
    """A decision that is not in the database yet; null takes back what was said before."""

    user_id: str = Field(pattern=r"^\d+$")
    kind: Kind
    decision: Decision | None
    at: datetime

    def decided(self) -> Decided:
        """It, as the rest of the house knows it."""
        return Decided(int(self.user_id), self.kind, self.decision, self.at)


class OwedDeletion(_Part):
    """Somebody of whom not everything that was there at `until` could be deleted."""

    user_id: str = Field(pattern=r"^\d+$")
    names: tuple[str, ...] = ()
    until: datetime


class Kept(_Part):
    """What is in the file."""

    schema_version: Literal[1] = 1
    decisions: tuple[KeptDecision, ...] = ()
    deletions: tuple[OwedDeletion, ...] = ()

    def deciding(self, decisions: Iterable[Decided], now: datetime) -> Kept:
        """With these decisions in place of earlier ones."""
        new = [
            KeptDecision(user_id=str(each.user_id), kind=each.kind, decision=each.decision, at=each.at or now)
            for each in decisions
        ]
        said = {(each.user_id, each.kind) for each in new}
        rest = [each for each in self.decisions if (each.user_id, each.kind) not in said]
        return self.model_copy(update={"decisions": (*rest, *new)})

    def owing(self, deletion: OwedDeletion) -> Kept:
        """With a deletion that is still to be made, in place of an earlier one."""
        rest = [each for each in self.deletions if each.user_id != deletion.user_id]
        return self.model_copy(update={"deletions": (*rest, deletion)})

    def done(self, user_id: int) -> Kept:
        """Without a person's deletion."""
        rest = tuple(each for each in self.deletions if each.user_id != str(user_id))
        return self.model_copy(update={"deletions": rest})

    def __bool__(self) -> bool:
        return bool(self.decisions or self.deletions)


def read_kept(path: Path) -> Kept:
    """What the file holds; nothing if there is none.

    Raises:
        StoreError: It cannot be read, so somebody's refusal may be in it.
    """
    try:
        return Kept.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Kept()
    except (OSError, ValidationError) as error:
        raise StoreError(UNREADABLE.format(name=path.name)) from error


def write_kept(path: Path, kept: Kept) -> None:
    """Replace the file in one step, on disk when this returns; with nothing to keep it goes.

    Raises:
        OSError: The disk is full or gone; the old file stays.
    """
    if not kept:
        path.unlink(missing_ok=True)
        return
    private.make_folder(path.parent)
    private.write_atomically(path, kept.model_dump_json(indent=2).encode())
    if os.name != "nt":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # else a power cut may bring the folder back without the file
        finally:
            os.close(folder)
