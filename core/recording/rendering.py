"""The finished files of one recording: brought up to date in workers while it runs, completed when it ends."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.audio.frames import RATE_HZ
from core.recording.mix import MixSource, MixState, mix_tracks
from core.recording.track import TrackJob, TrackResult, TrackState, render_track

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from core.audio.segmenter import SpeechSpan
    from core.machine.lane import Lane
    from core.recording.track import LostSpan

_log = logging.getLogger(__name__)

SESSION = "session.wav"
STEP = 600 * RATE_HZ  # rendered at a time, so that progress shows and everybody gets on
_MIX_BEHIND = RATE_HZ // 2  # the mix follows the tracks, whose last packet may be cut at the step's end


@dataclass(slots=True)
class RenderedTrack:
    """One person's track as far as it is rendered."""

    journal: str
    wav: str
    state: TrackState = field(default_factory=TrackState)
    utterances: list[SpeechSpan] = field(default_factory=lambda: list["SpeechSpan"]())
    sounds: list[tuple[int, int]] = field(default_factory=lambda: list[tuple[int, int]]())
    missing: list[LostSpan] = field(default_factory=lambda: list["LostSpan"]())

    def take(self, result: TrackResult) -> None:
        """Add what another stretch of rendering gave."""
        self.state = result.state
        self.utterances += result.utterances
        self.missing += result.missing
        for start, end in result.sounds:
            if self.sounds and start - self.sounds[-1][1] < RATE_HZ // 2:
                self.sounds[-1] = (self.sounds[-1][0], end)
            else:
                self.sounds.append((start, end))


class Rendering:
    """Renders a recording's folder. Everything it knows can be found again from the journals."""

    def __init__(
        self, folder: Path, workers: Lane, *, utterance_silence_s: float, silence_dbfs: float, mix: bool
    ) -> None:
        self.folder = folder
        self.tracks: dict[int, RenderedTrack] = {}
        self.progress = 0.0  # of `finish`, 0 to 1
        self._workers = workers
        self._utterance_silence_s = utterance_silence_s
        self._silence_dbfs = silence_dbfs
        self._mix = mix
        self._mix_state = MixState()
        self._lock = asyncio.Lock()

    async def advance(self, journals: Mapping[int, str], until: int) -> None:
        """Bring the files of a live recording up to sample `until`.

        Args:
            journals: File names by user id.
            until: Up to here the journals are known to be complete.
        """
        async with self._lock:
            self._know(journals)
            await self._step(until)
            await self._mix_up_to(self._settled(until) - _MIX_BEHIND)

    async def finish(self, journals: Mapping[int, str], length: int) -> int:
        """Complete every file at `length` samples, or where the last sound ends; gives that length.

        Raises:
            OSError: A file cannot be read or written.
        """
        async with self._lock:
            self._know(journals)
            done = min((track.state.position for track in self.tracks.values()), default=length)
            for until in range(done // STEP * STEP + STEP, length, STEP):
                await self._step(until)
                await self._mix_up_to(self._settled(until) - _MIX_BEHIND)
                self.progress = until / (length + STEP)
            await self._step(None)
            length = max([length, *(track.sounds[-1][1] for track in self.tracks.values() if track.sounds)])
            await self._each(lambda track: self._pad(track, length))
            if any(track.sounds for track in self.tracks.values()):
                await self._mix_up_to(length)
            self.progress = 1.0
            return length

    async def forget(self, user_id: int, forget_journal: Callable[[], Awaitable[None]] | None = None) -> None:
        """Delete a person's track, and have the mix begin anew without it; their journal goes first.

        Should the journal resist, what was made of it goes all the same.
        """
        async with self._lock:
            try:
                if forget_journal is not None:
                    await forget_journal()
            finally:
                track = self.tracks.pop(user_id, None)
                if track is not None:
                    await asyncio.to_thread((self.folder / track.wav).unlink, missing_ok=True)
                if track is not None and track.sounds:
                    self._mix_state = MixState()
                    await asyncio.to_thread((self.folder / SESSION).unlink, missing_ok=True)

    def _know(self, journals: Mapping[int, str]) -> None:
        for user_id, journal in journals.items():
            if user_id not in self.tracks:
                self.tracks[user_id] = RenderedTrack(journal, f"{journal.removesuffix('.ogg')}.wav")

    def _settled(self, until: int) -> int:
        return min([until, *(track.state.settled for track in self.tracks.values())])

    async def _step(self, until: int | None) -> None:
        await self._each(lambda track: self._render(track, until))

    async def _render(self, track: RenderedTrack, until: int | None) -> None:
        job = TrackJob(
            str(self.folder / track.journal),
            str(self.folder / track.wav),
            self._utterance_silence_s,
            self._silence_dbfs,
        )
        track.take(await self._workers.run(render_track, job, track.state, until))

    async def _pad(self, track: RenderedTrack, length: int) -> None:
        wav = self.folder / track.wav
        if not track.utterances:
            await asyncio.to_thread(wav.unlink, missing_ok=True)  # nothing but noise: the journal keeps it
            return
        await asyncio.to_thread(_pad, wav, track.state.written, length)

    async def _mix_up_to(self, until: int) -> None:
        if not self._mix or until <= self._mix_state.position:
            return
        sources = [
            MixSource(
                str(self.folder / track.wav),
                tuple(span for span in track.sounds if span[1] > self._mix_state.position),
            )
            for track in self.tracks.values()
            if track.sounds
        ]
        if not sources:
            return
        target = str(self.folder / SESSION)
        self._mix_state = await self._workers.run(mix_tracks, sources, target, self._mix_state, until)

    async def _each(self, action: Callable[[RenderedTrack], Awaitable[None]]) -> None:
        outcomes = await asyncio.gather(*(action(track) for track in self.tracks.values()), return_exceptions=True)
        for outcome in outcomes:  # only when all are over: nobody must write to a file that is tried again
            if outcome is not None:
                raise outcome


def _pad(wav: Path, written: int, length: int) -> None:
    from core.audio.wav import WavWriter

    with WavWriter(wav, resume_at=written) as out:
        out.skip_to(length)
