"""Exports: each made in a private folder, void once one of its recordings changes, and gone when it is not needed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import secrets
import shutil
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core.audio.encode import encode_file
from core.errors import RecordingError
from core.private import FILE_MODE, make_folder, write_atomically
from core.recording.locks import CHANGED
from core.recording.names import dated_name
from core.recording.packing import PackJob, pack, plan
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence

    from core.audio.encode import Quality
    from core.machine.lane import Lane
    from core.recording.locks import RecordingLocks, Ticket
    from core.recording.packing import Part
    from core.store.recordings import RecordingRecord

_log = logging.getLogger(__name__)

FOLDER = "exports"
ABOUT, WANTED = "about.json", ".wanted"
NO_ROOM = "There is too little room on my disk for that export. It is not made; the recording itself is safe."
UNREADABLE = "That export could not be made: a file could not be read or written. The log has the cause."
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TRIES = 20  # each of them deletes something, or finds that all is gone


@dataclass(slots=True)
class Export:
    """One archive on its way to somebody."""

    folder: Path
    ticket: Ticket
    recording_ids: tuple[str, ...]
    path: Path
    count: int = 1  # of recordings in it
    progress: float = 0.0  # of the work, 0 to 1
    kept: bool = field(default=False)


@dataclass(frozen=True, slots=True)
class KeptExport:
    """An archive that waits for one person."""

    path: Path
    recording_ids: tuple[str, ...]
    own: bool  # it holds what was recorded of them, and of nobody else


class Exports:
    """Makes archives, each alone in a folder of its own below the recordings, and clears what is left over."""

    def __init__(self, root: Path, locks: RecordingLocks, workers: Lane) -> None:
        self.locks = locks
        self._root = root / FOLDER
        self._workers = workers
        self._working: set[str] = set()  # names of folders

    @asynccontextmanager
    async def open(self, recording_ids: Sequence[str], user_ids: Sequence[int], name: str) -> AsyncGenerator[Export]:
        """A private folder for one archive called `name`; it goes at the end, unless the export is `kept`.

        Raises:
            RecordingError: A recording changed while it was at work, or there is no room.
        """
        ticket = self.locks.ticket([*recording_ids, *map(person_key, user_ids)])
        folder = self._root / secrets.token_hex(8)
        export = Export(folder, ticket, tuple(recording_ids), folder / name)
        self._working.add(folder.name)
        try:
            with self.working(export):
                await asyncio.to_thread(_begin, folder, recording_ids, user_ids)
            async with self.locks.watched(ticket, lambda: (folder / WANTED).unlink(missing_ok=True)):
                yield export
        finally:
            self._working.discard(folder.name)
            if not (export.kept and self.locks.holds(ticket)):
                await asyncio.shield(asyncio.to_thread(_remove, folder))
            else:
                await asyncio.to_thread((folder / WANTED).unlink, missing_ok=True)

    async def make(
        self,
        export: Export,
        folder: Path,
        *,
        quality: Quality | None = None,
        user_id: int | None = None,
        progressed: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Pack a recording's finished files into an export, every file in a worker of its own.

        Raises:
            RecordingError: There is nothing of it or of the person, it changed meanwhile, or there is no room.
        """
        with self.working(export):
            await self._make(export, folder, quality, user_id, progressed)

    @contextlib.contextmanager
    def working(self, export: Export) -> Generator[None]:
        """Make an export within this: what goes wrong becomes what people can do something about.

        Raises:
            RecordingError: A recording changed meanwhile, the disk is full, or a file cannot be read or written.
        """
        try:
            yield
        except (OSError, RecordingError) as error:
            if not self.locks.holds(export.ticket):
                raise RecordingError(CHANGED) from error
            if isinstance(error, OSError):
                raise RecordingError(NO_ROOM if error.errno in _FULL else UNREADABLE) from error
            raise
        if not self.locks.holds(export.ticket):
            raise RecordingError(CHANGED)

    async def _make(
        self,
        export: Export,
        folder: Path,
        quality: Quality | None,
        user_id: int | None,
        progressed: Callable[[float], None],
    ) -> None:
        parts = await asyncio.to_thread(plan, folder, quality, user_id)
        wanted = str(export.folder / WANTED)
        whole = sum(part.size for part in parts if part.encoded) or 1
        done = 0

        async def encode(part: Part, quality: Quality) -> Part:
            nonlocal done
            target = export.folder / part.name
            await self._workers.run(encode_file, part.source, str(target), quality, wanted)
            done += part.size
            export.progress = 0.9 * done / whole
            progressed(export.progress)
            return part.at(target)

        encoding = [encode(part, quality) for part in parts if quality is not None and part.encoded]
        encoded = await self._each(encoding, export)
        files = [*encoded, *(part for part in parts if not part.encoded)]
        await self._workers.run(pack, PackJob(tuple(files), str(export.path), wanted))
        for part in encoded:
            await asyncio.to_thread(Path(part.source).unlink)
        export.progress = 1.0
        progressed(1.0)

    async def _each(self, encoding: Sequence[Coroutine[Any, Any, Part]], export: Export) -> list[Part]:
        """Run all at once; when one fails, the others stop, and are over when this raises."""
        tasks = Tasks(f"export {export.folder.name}")
        running = [tasks.start(each) for each in encoding]
        try:
            return list(await asyncio.gather(*running))
        except BaseException:
            (export.folder / WANTED).unlink(missing_ok=True)
            await tasks.cancel_all()
            raise

    def keep(self, export: Export, user_id: int | None = None) -> str:
        """Keep an export until tomorrow, for one person who fetches it by the key that this gives.

        Raises:
            OSError: The disk is full or gone.
        """
        about = _about(export.folder) | {"for": user_id, "kept": True}
        write_atomically(export.folder / ABOUT, json.dumps(about).encode())
        export.kept = True
        return export.folder.name

    def find(self, key: str, user_id: int) -> KeptExport | None:
        """An export that was kept for somebody; None if it is gone or not theirs."""
        for folder in self._folders():
            about = _about(folder)
            if folder.name == key and about.get("kept") is True and about.get("for") == user_id:
                files = [path for path in folder.iterdir() if path.suffix == ".zip"]
                if len(files) == 1:
                    return KeptExport(files[0], tuple(map(str, about["recordings"])), about["people"] == [user_id])
        return None

    def remove(self, key: str) -> None:
        """Delete an export that was kept."""
        for folder in self._folders():
            if folder.name == key:
                _remove(folder)

    def drop(self, *, recording_id: str | None = None, user_id: int | None = None) -> None:
        """Delete every export that holds a recording or was made of a person, and what dead work left behind.

        Raises:
            OSError: Something cannot be deleted.
        """
        self.clear(None)
        for folder in self._folders():
            about = _about(folder)
            if recording_id in about["recordings"] or user_id in about["people"]:
                (folder / WANTED).unlink(missing_ok=True)
                if folder.name in self._working:  # whoever works on it ends now, and deletes what this cannot
                    shutil.rmtree(folder, ignore_errors=True)
                else:
                    _rmtree(folder)

    def clear(self, kept_s: float | None) -> None:
        """Delete what nobody works on and nobody waits for; with `kept_s`, also what has waited for longer.

        Raises:
            OSError: Something cannot be deleted.
        """
        if not self._root.is_dir():
            return
        for path in list(self._root.iterdir()):
            if path.name in self._working:
                continue
            if not path.is_dir() or path.is_symlink():  # as earlier versions left them
                old = kept_s is None or path.suffix != ".zip" or time.time() - path.lstat().st_mtime >= kept_s
                if old:
                    path.unlink(missing_ok=True)
            elif _about(path).get("kept") is not True or (kept_s is not None and _age_s(path) >= kept_s):
                _rmtree(path)

    def _folders(self) -> list[Path]:
        if not self._root.is_dir():
            return []
        return [path for path in self._root.iterdir() if path.is_dir() and not path.is_symlink()]


def person_key(user_id: int) -> str:
    """What a deletion of a person locks beside recordings: exports may hold more of them than those."""
    return f"person {user_id}"


def export_name(record: RecordingRecord, *, person: str = "") -> str:
    """What the archive of a recording is called: by day, channel and person."""
    return f"{dated_name(record.started_at, record.channel_name, person)}.zip"


def _begin(folder: Path, recording_ids: Sequence[str], user_ids: Sequence[int]) -> None:
    make_folder(folder)
    (folder / WANTED).touch(FILE_MODE)
    about = {"recordings": list(recording_ids), "people": list(user_ids)}
    write_atomically(folder / ABOUT, json.dumps(about).encode())


def _about(folder: Path) -> dict[str, Any]:
    """What an export says about itself; nothing, where work on it died early."""
    try:
        found: Any = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError):
        found = {}
    about: dict[str, Any] = {"recordings": [], "people": []}
    return about | cast("dict[str, Any]", found) if isinstance(found, dict) else about


def _age_s(folder: Path) -> float:
    """How long ago an export was made."""
    return time.time() - next(iter([*folder.glob("*.zip"), folder / ABOUT])).stat().st_mtime


def _rmtree(folder: Path) -> None:
    """Delete a folder that somebody else may be deleting too.

    Raises:
        OSError: It is still there.
    """
    for _ in range(_TRIES):
        try:
            return shutil.rmtree(folder)
        except FileNotFoundError:
            if not folder.exists():
                return None
    return shutil.rmtree(folder)


def _remove(folder: Path) -> None:
    (folder / WANTED).unlink(missing_ok=True)
    try:
        _rmtree(folder)
    except OSError as error:  # somebody has it open, on Windows; every hour and every deletion tries again
        _log.warning("the export %s is not deleted yet: %s", folder.name, error)
