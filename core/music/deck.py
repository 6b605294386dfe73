"""Plays a queue over one connection: one track after the other without a gap, each as loud as the next."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from core.errors import AudioError, VoiceError
from core.music.apart import run_apart
from core.music.feeder import BLOCK_S, STUCK
from core.music.opening import first_block
from core.music.playing import LEARNED_S, VOLUME_S, DeckSettings, Voicing, play_out, release
from core.music.queue import MusicQueue
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from core.errors import ParleyError
    from core.music.lines import Lines
    from core.music.playing import Playing
    from core.music.queue import Loop
    from core.music.track import Track, TrackFacts

_log = logging.getLogger(__name__)

LAST_S = 0.5  # before the end of a track that nothing follows, its line is ended
LOOK_S = 0.1
END_S = 0.5  # before the end of a track is no place to go to
EFFECTS = 5  # that sound or wait
NOTHING = "Nothing is playing."
ENOUGH = "Several effects wait already. Let them sound first."
ENDLESS = "That has no places to go to: it comes as it is sent."
BEYOND = "The track is only {length} long."


class Deck:
    """What plays and what waits to be played in one session."""

    def __init__(
        self,
        lines: Lines,
        failed: Callable[[Track, ParleyError], Awaitable[None]],
        *,
        queue: MusicQueue | None = None,
        settings: DeckSettings = DeckSettings(),  # noqa: B008 - frozen
    ) -> None:
        """Begin with an empty queue.

        Args:
            lines: Plays.
            failed: Told of a track that could not be played, or not to its end.
            queue: What holds the tracks.
            settings: How to play.
        """
        self.queue = MusicQueue() if queue is None else queue
        self.queue.changed = self._queue_changed
        self.queue.gone = self._gone
        self.watchers: list[Callable[[], None]] = []
        self.kept = False  # whether what the tracks keep on disk outlives the session
        self._lines = lines
        self._failed = failed
        self._voicing = Voicing(lines, settings)
        self._now: Playing | None = None
        self._ahead: Playing | None = None
        self._closed = False
        self._effects = 0
        self._seeking = asyncio.Lock()
        self._tasks = Tasks("media")

    # What there is ----------------------------------------------------------------------------------------------------

    @property
    def tracks(self) -> list[Track]:
        """What plays, then what waits."""
        return self.queue.tracks

    @property
    def now(self) -> Track | None:
        """What plays, or is about to."""
        return self.queue.head

    @property
    def position_s(self) -> float:
        """Where in what plays people are, in seconds."""
        head = self.queue.head
        for playing in self._under_way():
            if playing.track is head and not playing.cut:
                return playing.position_s
        return 0.0 if head is None else head.start_s

    @property
    def paused(self) -> bool:
        """Whether music is paused."""
        return self._voicing.paused

    @property
    def volume(self) -> float:
        """How loud music is beside the voice, 0 to 2; 1 is as it is evened."""
        return self._voicing.volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._voicing.volume = min(2.0, max(0.0, volume))
        for playing in self._under_way():
            playing.line.amplify(self._voicing.gain(playing.track), VOLUME_S)
        self._tell()

    # What people do ---------------------------------------------------------------------------------------------------

    def require_room(self, size: int, by: int = 0) -> None:
        """Refuse when too much waits.

        Raises:
            AudioError: Too many tracks, or too many bytes with `size` more.
        """
        self.queue.require_room(size, by)

    async def add(self, track: Track, *, next: bool = False) -> None:
        """Put a track in the queue; its first block is decoded at once, so that what is no audio is told now.

        Raises:
            AudioError: It cannot be decoded, or the queue is full.
        """
        self.queue.require_room(track.source.size, track.by)
        try:
            await run_apart(lambda: first_block(track), within_s=BLOCK_S)
        except TimeoutError as error:
            raise AudioError(STUCK) from error
        self.queue.add(track, next=next)  # asks for room again: others may have come meanwhile

    def set_loop(self, mode: Loop) -> None:
        """Repeat the track, the queue, or nothing."""
        self.queue.loop = mode
        self._queue_changed()

    def put_back(self, tracks: Sequence[Track]) -> None:
        """Put what was left of an earlier session in front; the first goes on at its `start_s`."""
        self.queue.put_back(tracks)

    def skip(self) -> Track | None:
        """End what plays; gives it, or None."""
        self._voicing.paused = False
        if self._ahead is not None:
            self._ahead.line.resume()
        skipped = self.queue.skip()
        if skipped is not None and self._now is not None:
            self._now.stop()
        return skipped

    def stop(self) -> int:
        """End what plays and drop what waits; gives how many that were."""
        self._voicing.paused = False
        count = self.queue.clear(everything=True)
        self._cut()
        self.stop_effects()
        return count

    def remove(self, number: int) -> Track:
        """Take out what waits, or plays, at a number.

        Raises:
            AudioError: There is nothing there.
        """
        track = self.queue.at(number)
        plays = track is self.queue.head
        self.queue.drop(track)
        if plays and self._now is not None:
            self._now.stop()
        return track

    def pause(self) -> bool:
        """Hold; false if nothing plays or it is held already."""
        if self._voicing.paused or self.queue.head is None:
            return False
        self._voicing.paused = True
        for playing in self._under_way():
            playing.line.pause()
        self._tell()
        return True

    def resume(self) -> bool:
        """Go on at the very sample; false if it was not held."""
        if not self._voicing.paused:
            return False
        self._voicing.paused = False
        for playing in self._under_way():
            playing.line.resume()
        self._tell()
        return True

    async def seek(self, at_s: float) -> float:
        """Go on elsewhere in what plays; gives where.

        Raises:
            AudioError: Nothing plays, it has no places, or it cannot be decoded there.
        """
        async with self._seeking:
            now = self._now
            if now is None or now.cut or now.track is not self.queue.head:
                raise AudioError(NOTHING)
            at_s = _place(now.track, at_s)
            again = self._voicing.begin(now.track, at_s)
            await again.feeder.begun()
            if not again.line.written_samples and (problem := (await again.feeder.done()).problem) is not None:
                again.stop()
                raise problem
            if now.cut or now is not self._now:
                again.stop()
                raise AudioError(NOTHING)
            self._discard_ahead()
            self._ahead = again
            now.stop()
        return at_s

    async def effect(self, track: Track) -> None:
        """Play a short sound over everything, at once.

        Raises:
            AudioError: It cannot be decoded, or several sound or wait already.
            VoiceError: The connection is over.
        """
        if self._effects >= EFFECTS:
            raise AudioError(ENOUGH)
        self._effects += 1
        try:
            await self._begin_effect(track)
        except BaseException:
            self._effects -= 1
            raise

    async def _begin_effect(self, track: Track) -> None:
        playing = await self._voicing.effect(track)
        if not playing.line.written_samples and (problem := (await playing.feeder.done()).problem) is not None:
            playing.stop()
            raise problem
        self._tasks.start(self._end_effect(playing), f"effect {track.id}")

    async def _end_effect(self, playing: Playing) -> None:
        try:
            await play_out(playing)
        finally:
            self._effects -= 1

    def stop_effects(self) -> int:
        """Cut what sounds over everything; gives how many that were."""
        return self._lines.stop_all("effect")

    def learned(self, track: Track, facts: TrackFacts) -> None:
        """More is known of a track; if it plays it glides to its loudness."""
        track.facts = facts
        for playing in self._under_way():
            if playing.track is track:
                playing.line.amplify(self._voicing.gain(track), LEARNED_S if playing.line.begun else 0.0)
        self._tell()

    async def close(self) -> None:
        """Stop everything. What the tracks keep on disk is deleted, unless it is `kept` for a next time."""
        self._closed = True
        playing, tracks = self._under_way(), self.queue.tracks
        self._cut()
        await self._tasks.cancel_all()
        for each in playing:
            await each.feeder.done()
        if self.kept:
            return
        self.queue.clear(everything=True)
        for track in tracks:
            await asyncio.to_thread(release, track)

    # Playing ----------------------------------------------------------------------------------------------------------

    def _under_way(self) -> list[Playing]:
        return [playing for playing in (self._now, self._ahead) if playing is not None]

    def _cut(self) -> None:
        for playing in self._under_way():
            playing.stop()

    def _tell(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()

    def _queue_changed(self) -> None:
        if not self._closed:
            self._tasks.start(self._run(), "play")
            self._mind_ahead()
            self._tell()

    def _gone(self, track: Track) -> None:
        if not self._closed and track.source.size:
            self._tasks.start(self._release(track), f"release {track.id}")

    async def _release(self, track: Track) -> None:
        """Delete what a track kept, once nothing reads it any more."""
        for playing in self._under_way():
            if playing.track is track:
                playing.feeder.stop()
                await playing.feeder.done()
        await asyncio.to_thread(release, track)

    async def _run(self) -> None:
        """Play until the queue is empty."""
        try:
            while (head := self.queue.head) is not None:
                await self._play(self._next(head))
        except VoiceError as error:
            _log.info("music is over: %s", error.sentence)
        finally:
            self._now = None
            self._discard_ahead()
            self._tell()

    def _next(self, head: Track) -> Playing:
        """What was lined up for the head of the queue, or its beginning."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and (ahead.cut or ahead.track is not head):
            ahead.stop()
            ahead = None
        self._now = ahead or self._voicing.begin(head, head.start_s)
        head.start_s = 0.0  # when it comes again
        self._tell()
        return self._now

    async def _play(self, playing: Playing) -> None:
        """Play a track to its end, and line up the next while its last seconds sound."""
        fed = await playing.feeder.done()
        problem = None if playing.cut else fed.problem
        while problem is None and self.queue.upcoming is None and playing.line.queued_s > LAST_S:  # noqa: ASYNC110 - of two things that change on two threads
            await asyncio.sleep(LOOK_S)  # whatever is asked for until then follows without a gap
        if playing.cut or problem is not None:
            playing.line.end()
        else:
            self._line_up(playing, fed.rest)
        playing.fed = fed
        await playing.line.finished()
        if playing.cut:
            return
        if problem is None:
            self.queue.advance()
            return
        self.queue.drop(playing.track)
        _log.warning("%r stopped half way: %s", playing.track.title, problem.sentence, exc_info=problem.__cause__)
        await self._failed(playing.track, problem)

    def _line_up(self, playing: Playing, rest: NDArray[np.float32]) -> None:
        """Give what is left of a track to the next, so that there is no gap, or to its own line if none follows."""
        upcoming = self.queue.upcoming
        if self._ahead is None and upcoming is not None and playing.track is self.queue.head:
            self._ahead = self._voicing.follow(playing, upcoming, rest)
        elif len(rest):
            playing.line.write(rest)
        playing.line.end()

    def _mind_ahead(self) -> None:
        """What follows may be another now than what was lined up."""
        now, ahead, upcoming = self._now, self._ahead, self.queue.upcoming
        if now is None or now.fed is None or now.cut or now.track is not self.queue.head:
            return
        if ahead is not None and ahead.track is upcoming:
            return
        self._discard_ahead()
        if upcoming is not None:
            self._ahead = self._voicing.begin(upcoming, upcoming.start_s)

    def _discard_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.stop()


def _place(track: Track, at_s: float) -> float:
    """A place in a track that can be gone to.

    Raises:
        AudioError: It has none, or not that one.
    """
    length_s = track.facts.length_s
    if track.source.endless:
        raise AudioError(ENDLESS)
    if length_s is None:
        return max(0.0, at_s)
    if at_s > length_s:
        from core.audio.decode import clock

        raise AudioError(BEYOND.format(length=clock(length_s)))
    return max(0.0, min(at_s, length_s - END_S))
