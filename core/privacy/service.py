"""`runtime.privacy`: keep what people decided, whatever happens to the database, and reach everybody who has their data."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.errors import ParleyError, StoreError
from core.handles import Handle
from core.privacy.consent import Consent
from core.privacy.kept import Kept, KeptDecision, OwedDeletion, read_kept, write_kept
from core.privacy.owners import About, Person
from core.store.decisions import KINDS, Decided, DecisionsRepository
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from core.clock import Clock
    from core.privacy.owners import DataOwner
    from core.store.decisions import Decision, Kind
    from core.store.store import Store

    Reaction = Callable[[int, "Decision | None"], Awaitable[str]]

_log = logging.getLogger(__name__)

TRY_AGAIN_S, TRY_AGAIN_MOST_S = 60.0, 3600.0
BESIDE = (
    "My database cannot be written just now, so this is kept in a file beside the recordings; it holds after a restart "
    "too."
)
NOWHERE = (
    "But I can keep it nowhere, neither in my database nor in a file: it holds only until I am restarted. Please tell "
    "whoever runs me, and say it again then."
)
OWED = "What is left is noted, and I try again by myself, also after a restart."
OWED_UNTIL = "I try again by myself, but cannot note it anywhere: after a restart please ask again."
FAULT = "Something went wrong on my side with {what}; the log has the details."

Place = Literal["database", "file", "memory"]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a decision."""

    place: Place  # where it is kept
    done: tuple[str, ...] = ()  # sentences: what was deleted for it
    failed: tuple[str, ...] = ()  # sentences: what could not be

    @property
    def kept(self) -> str:
        """Where it is kept, as a sentence; empty if that is where it should be."""
        return {"database": "", "file": BESIDE, "memory": NOWHERE}[self.place]


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of a wish to be deleted, as sentences."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    owed: str = ""  # what happens with the rest


class Privacy:
    """The one owner of what people decided, and the register of those who keep their data.

    A room that records, hears, observes or trains asks `consent.allows(kind, guild_id, user_id)` whenever it is about to
    do so; has `respect` call it when somebody decides, to undo what is under way; and signs up with `register` if it
    keeps anything of people.
    """

    def __init__(self, store: Store, file: Path, clock: Clock) -> None:
        """Nothing is read before `open`; `file` takes what the database cannot."""
        self.consent = Consent()
        self._store = store
        self._decisions = DecisionsRepository(store)
        self._path = file
        self._clock = clock
        self._kept = Kept()
        self._writing = asyncio.Lock()
        self._owners: dict[str, DataOwner] = {}
        self._reactions: dict[Kind, list[Reaction]] = {kind: [] for kind in KINDS}
        self._tasks = Tasks("privacy")

    async def open(self) -> None:
        """Load what people decided, also what only the file knows.

        Raises:
            StoreError: It cannot be read; without it nobody may be recorded.
        """
        for decided in await self._decisions.all():
            self.consent.decide(decided.kind, decided.user_id, decided.decision, decided.at)
        kept = await asyncio.to_thread(read_kept, self._path)
        newer = tuple(each for each in kept.decisions if not self._known_since(each))
        self._kept = kept.model_copy(update={"decisions": newer})
        for each in newer:
            self.consent.decide(each.kind, int(each.user_id), each.decision, each.at)
        await self._merge()
        self._tasks.start(self._keep_trying(), "owed")

    async def close(self) -> None:
        """Stop trying; what is owed is in the file."""
        await self._tasks.cancel_all()

    # Decisions --------------------------------------------------------------------------------------------------------

    def respect(self, kind: Kind, reaction: Reaction, *, first: bool = False) -> Handle:
        """Have a room told of each decision as it is made, after it holds.

        `reaction` gets the person and the decision (None: taken back), undoes what is under way, and gives a sentence
        about what it deleted, or an empty string. What it cannot do it raises as a `ParleyError`. `first`: before others.
        """
        reactions = self._reactions[kind]
        reactions.insert(0 if first else len(reactions), reaction)
        return Handle(lambda: self._reactions[kind].remove(reaction), f"reaction to decisions on being {kind}")

    async def decide(self, user_id: int, decision: Decision | None, kinds: Iterable[Kind] = ("recorded",)) -> Settled:
        """Take a person's decision: it holds from this moment on, everywhere, and is kept as safely as possible.

        What is on disk against a refusal is deleted whether or not the decision can be kept.
        """
        at = self._clock.now()
        decisions = [Decided(user_id, kind, decision, at) for kind in kinds]
        for each in decisions:
            self.consent.decide(each.kind, user_id, decision, at)
        keeping = self._tasks.start(self._keep(decisions))  # beside the deleting, which may take long
        done: list[str] = []
        failed: list[str] = []
        for each in decisions:
            for reaction in tuple(self._reactions[each.kind]):
                try:
                    told = await reaction(user_id, decision)
                except ParleyError as error:
                    _log.warning("a refusal could not be carried out: %s", error.sentence, exc_info=error)
                    failed.append(error.sentence)
                except Exception:  # noqa: BLE001 - the other rooms must hear of it as well; people are told, the log has it
                    _log.exception("a decision on being %s could not be carried out", each.kind)
                    failed.append(FAULT.format(what=f"being {each.kind.replace('_', ' ')}"))
                else:
                    done += [told] if told else []
        place = await asyncio.shield(keeping)
        if place == "memory":  # the disk was full, and something was deleted since
            place = await self._keep(decisions)
        return Settled(place, tuple(done), tuple(failed))

    async def _keep(self, decisions: Sequence[Decided]) -> Place:
        """Bring decisions to where they survive; newer ones replace those that wait in the file."""
        async with self._writing:
            try:
                await self._decisions.save(decisions)
            except StoreError:
                _log.exception("decisions cannot be written into the database; the file takes them")
            else:
                said = {(str(each.user_id), each.kind) for each in decisions}
                rest = tuple(each for each in self._kept.decisions if (each.user_id, each.kind) not in said)
                await self._write(self._kept.model_copy(update={"decisions": rest}))
                return "database"
            return "file" if await self._write(self._kept.deciding(decisions, self._clock.now())) else "memory"

    async def _write(self, kept: Kept) -> bool:
        """Write the file, if that changes it; whether it holds that now. In memory it holds in any case."""
        if kept == self._kept and not kept:
            return True
        self._kept = kept
        try:
            await asyncio.to_thread(write_kept, self._path, kept)
        except OSError:
            _log.exception("%s cannot be written", self._path.name)
            return False
        return True

    def _known_since(self, kept: KeptDecision) -> bool:
        """Whether the database has a later word of the same person: the file could not be shortened then."""
        at = self.consent.decided_at(kept.kind, int(kept.user_id))
        return at is not None and at > kept.at

    async def _merge(self) -> None:
        """Bring decisions from the file into the database, now that it may be back."""
        async with self._writing:
            if not self._kept.decisions:
                return
            try:
                await self._decisions.save([each.decided() for each in self._kept.decisions])
            except StoreError:
                _log.warning("decisions still wait in %s for the database", self._path.name)
                return
            await self._write(self._kept.model_copy(update={"decisions": ()}))

    async def _keep_trying(self) -> None:
        """Bring what is owed to its end, until cancelled: soon at first, then every hour."""
        wait_s = TRY_AGAIN_S
        while True:
            await self._clock.sleep(wait_s)
            await self._merge()
            for owed in self._kept.deletions:
                await self._delete(Person(int(owed.user_id), frozenset(owed.names), owed.until))
            wait_s = min(2 * wait_s, TRY_AGAIN_MOST_S) if self._kept.deletions else TRY_AGAIN_S

    # Data -------------------------------------------------------------------------------------------------------------

    def register(self, name: str, owner: DataOwner, *, first: bool = False) -> Handle:
        """Sign up as somebody who keeps data of people; the name is for the log, and unique. Ending the handle signs off.

        `first`: asked before the others, since it finds by what they have what it has itself.
        """
        self._owners = {name: owner, **self._owners} if first else {**self._owners, name: owner}

        def leave() -> None:
            if self._owners.get(name) is owner:  # the next one of that name may have signed up already
                del self._owners[name]

        return Handle(leave, f"keeper of data: {name}")

    def drop(self, name: str) -> None:
        """Sign off."""
        self._owners.pop(name, None)

    async def describe_person(self, user_id: int) -> list[str]:
        """What everybody keeps of a person, as sentences; who cannot say is told by a sentence too."""
        about = await self._about(Person(user_id, until=self._clock.now()))
        return [line for each in about for line in each.lines]

    async def export_person(self, user_id: int) -> dict[str, bytes]:
        """What is kept of a person outside of recordings, as files by their names.

        Raises:
            ParleyError: Somebody cannot give it: half of the truth would be none.
        """
        files: dict[str, bytes] = {}
        for owner in list(self._owners.values()):
            given: Mapping[str, bytes] = await owner.export_person(Person(user_id, until=self._clock.now()))
            files.update(given)
        return files

    async def delete_person(self, user_id: int, names: Iterable[str] = ()) -> Deletion:
        """Delete everything that anybody keeps of a person, but for what they decided.

        Args:
            user_id: The person.
            names: What they are called at the moment; the names they had are found out.
        """
        person = Person(user_id, until=self._clock.now())
        found = [name for each in await self._about(person) for name in each.names]
        known = frozenset(name for name in (*names, *found) if name and name != str(user_id))
        return await self._delete(Person(user_id, known, person.until))

    async def _about(self, person: Person) -> list[About]:
        found: list[About] = []
        for name, owner in list(self._owners.items()):
            try:
                found.append(await owner.describe_person(person))
            except ParleyError as error:
                found.append(About((error.sentence,)))
            except Exception:  # noqa: BLE001 - what the others have is told all the same; the log has the cause
                _log.exception("%s cannot be described", name)
                found.append(About((FAULT.format(what=name),)))
        return found

    async def _delete(self, person: Person) -> Deletion:
        done: list[str] = []
        failed: list[str] = []
        for name, owner in list(self._owners.items()):
            try:
                done += await owner.delete_person(person)
            except ParleyError as error:
                _log.warning("somebody could not be deleted from %s: %s", name, error.sentence, exc_info=error)
                failed.append(error.sentence)
            except Exception:  # noqa: BLE001 - the others must delete as well; people are told, the log has the cause
                _log.exception("somebody could not be deleted from %s", name)
                failed.append(FAULT.format(what=name))
        try:
            await self._store.scrub()
        except StoreError as error:
            _log.warning("the database still holds deleted bytes", exc_info=error)
            failed.append(error.sentence)
        async with self._writing:
            if not failed:
                await self._write(self._kept.done(person.id))
                return Deletion(tuple(done))
            owed = OwedDeletion(user_id=str(person.id), names=tuple(sorted(person.names)), until=person.until)
            noted = await self._write(self._kept.owing(owed))
        return Deletion(tuple(done), tuple(failed), OWED if noted else OWED_UNTIL)
