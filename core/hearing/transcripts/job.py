"""One track becomes text: stretch by stretch, at the track's own times, resumed where it was broken off."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import HearingError
from core.hearing.stretches import StretchFinder
from core.hearing.transcripts.document import Recogniser, Transcript, TranscriptSpeaker
from core.hearing.transcripts.sound import blocks, regions
from core.hearing.transcripts.splitting import said_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from core.hearing.stretches import Stretch
    from core.hearing.text import Transcription
    from core.hearing.transcriber import Purpose, Transcriber
    from core.hearing.transcripts.sound import Span

_log = logging.getLogger(__name__)

JOIN_S = 2.0  # pauses up to this long stay in what is recognised at once: words help each other
DEADLINE_S = 600.0  # of half a minute: a large model on a slow machine
TRIES = 2  # of a stretch on which the recogniser dies
MOST_FAILED = 3  # stretches in a row that it does not understand: then it is the recogniser
KEEP_S = 60.0  # of sound: how much a process that dies loses at most


class NotAllowed(HearingError):
    """The person does not want to be heard."""


@dataclass(frozen=True, slots=True)
class TrackSound:
    """One person's track."""

    path: Path
    user_id: int
    name: str
    length_s: float
    sounds: tuple[Span, ...]  # where there is sound, in seconds


@dataclass(frozen=True, slots=True)
class TrackTranscription:
    """How a track becomes text.

    `allowed` is asked before each stretch; `keep` takes what there is from time to time; `progressed` is told how many
    seconds of sound are done.
    """

    transcriber: Transcriber
    settings: str
    allowed: Callable[[], bool]
    keep: Callable[[Transcript], Awaitable[None]]
    progressed: Callable[[float], None]
    language: str | None = None
    purpose: Purpose = "recording"

    async def run(self, track: TrackSound, begun: Transcript) -> Transcript:
        """The whole track's transcript.

        Args:
            track: The track.
            begun: What there is already; it is gone on with.

        Raises:
            NotAllowed: The person does not want it any more.
            HearingError: The recogniser is not to be had, or the track cannot be decoded.
            OSError: The track cannot be read.
        """
        document = begun
        document.state = "partial"
        if document.speaker(str(track.user_id)) is None:
            document.speakers = [TranscriptSpeaker(id=str(track.user_id), user_id=str(track.user_id), name=track.name)]
        self.progressed(_before(track, document.until_s))
        kept_s, failed, opened = document.until_s, 0, False
        async for stretch, at_s in self._stretches(track, document.until_s):
            if not opened:  # where nobody speaks, no model is opened
                await self.transcriber.open()
                opened = True
            heard = await self._hear(stretch)
            failed = failed + 1 if heard is None else 0
            if failed == MOST_FAILED:
                raise HearingError(
                    f"The recogniser {self.transcriber.name} fails again and again; the log has the cause."
                )
            end_s = at_s + stretch.samples.size / 16_000
            if heard is not None and heard.segments:
                document.recogniser = Recogniser(engine=heard.engine, model=heard.model, settings=self.settings)
                document.segments += said_of(heard.moved(at_s), str(track.user_id), at_s, min(end_s, track.length_s))
            document.until_s = round(max(document.until_s, min(end_s, track.length_s)), 3)
            self.progressed(_before(track, document.until_s))
            if document.until_s - kept_s >= KEEP_S:
                kept_s = document.until_s
                await self.keep(document)
        document.recogniser.settings = self.settings
        document.until_s = round(track.length_s, 3)
        document.state = "finished"
        self.progressed(_before(track, track.length_s))
        return document

    async def _stretches(self, track: TrackSound, from_s: float) -> AsyncGenerator[tuple[Stretch, float]]:
        """The stretches in which somebody speaks, each with its place on the track. Memory does not grow with length."""
        for start_s, end_s in regions(track.sounds, track.length_s):
            if end_s <= from_s:
                continue
            start_s = max(start_s, from_s)
            finder = StretchFinder(join_s=JOIN_S)
            given = blocks(track.path, start_s, end_s)
            try:
                while True:
                    if not self.allowed():
                        raise NotAllowed("They do not want to be heard.")
                    block = await asyncio.to_thread(next, given, None)
                    found = await (
                        asyncio.to_thread(finder.finish) if block is None else asyncio.to_thread(finder.feed, block)
                    )
                    for stretch in found:
                        yield stretch, start_s + stretch.start_s
                    if block is None:
                        break
            finally:
                await asyncio.to_thread(given.close)  # type: ignore[attr-defined]

    async def _hear(self, stretch: Stretch) -> Transcription | None:
        """The text of a stretch; None if the recogniser broke on it, again and again."""
        for number in range(TRIES):
            if not self.allowed():
                raise NotAllowed("They do not want to be heard.")
            try:
                return await self.transcriber.transcribe(
                    stretch.samples, language=self.language, words=True, purpose=self.purpose, deadline_s=DEADLINE_S
                )
            except HearingError as error:
                _log.warning(
                    "a part of a recording was not understood (try %d): %s", number + 1, error.sentence, exc_info=error
                )
        return None


def seconds_of(track: TrackSound) -> float:
    """How much sound of a track is looked through."""
    return sum(end_s - start_s for start_s, end_s in regions(track.sounds, track.length_s))


def _before(track: TrackSound, at_s: float) -> float:
    return sum(max(0.0, min(end_s, at_s) - start_s) for start_s, end_s in regions(track.sounds, track.length_s))
