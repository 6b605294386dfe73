"""One stretch of sound on its way to the wire: a spoken reply, a file, an effect."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.audio.frames import CHANNELS, FRAME_S, FRAME_SAMPLES, RATE_HZ
from core.voice.playback.mixer import FADE_SAMPLES, Excerpt, fade_in, fade_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from core.voice.playback.preroll import Preroll

_log = logging.getLogger(__name__)

DUCKED = 0.2  # -14 dB
SOFTEST = 0.01  # what rises from silence rises as if it began here

BusName = Literal["speech", "media", "effect"]
Outcome = Literal["played", "stopped", "closed"]


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How a line ended. `closed`: the connection was given up; samples are counted a channel, at 48 kHz."""

    outcome: Outcome
    written_samples: int
    heard_samples: int
    underruns: int


@dataclass(slots=True, eq=False)
class _Waiter:
    """A coroutine that waits until no more than `queued_s` is left; below 0: until the end."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]
    queued_s: float


class PlaybackStream:
    """A queue of samples with an end. Written from any one thread or loop, read by the player's thread.

    Made by `Player.line`. Nothing here blocks: writer and reader share a deque and counters that only one of them
    changes. Not one sample between `write` and the wire is trimmed or dropped unless the line is stopped; a remainder
    shorter than a frame is filled up with silence at the line's end only.
    """

    def __init__(
        self,
        turn_id: str,
        bus: BusName,
        *,
        preroll: Preroll,
        wake: Callable[[], None],
        now: Callable[[], float],
        said_for: frozenset[int] = frozenset(),
    ) -> None:
        self.turn_id = turn_id
        self.bus: BusName = bus
        self.said_for = said_for  # whose words or file it is
        self.written_samples = 0
        self.heard_samples = 0
        self.underruns = 0
        self.first_frame_at_s: float | None = None
        self._preroll = preroll
        self._wake = wake
        self._now = now
        self._chunks: deque[tuple[NDArray[np.float32], float]] = deque()  # samples, (n, 1 or 2), and their peak
        self._offset = 0  # into the first chunk
        self._taken = 0
        self._ended = False
        self._stopping = False
        self._paused = False
        self._ducked = False
        self._level = 1.0  # of the frame that was taken last
        self._aim = (1.0, float("inf"))  # how loud it is to be, and the most that may change in a frame
        self._held = False  # the player's thread has let the sound sink for a pause, and not taken it up again
        self._flowing = False
        self._waiting_since_s: float | None = None
        self._end: StreamEnd | None = None
        self._waiters: list[_Waiter] = []
        self._waiters_lock = threading.Lock()

    # For whoever has sound --------------------------------------------------------------------------------------------

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append sound; returns at once. After `stop` it is ignored.

        Args:
            samples: float32 at 48 kHz in -1..1, mono `(n,)` or stereo `(n, 2)`. They are copied.

        Raises:
            ValueError: Another shape, or the line was ended before.
        """
        if samples.ndim != 1 and (samples.ndim != 2 or samples.shape[1] not in (1, 2)):
            raise ValueError(f"samples must be (n,) or (n, 2), not {samples.shape}")
        if self._stopping or self._end is not None:
            return
        if self._ended:
            raise ValueError("the line was ended; nothing can be written any more")
        count = len(samples)
        if not count:
            return
        chunk = np.array(samples if samples.ndim == 2 else samples[:, None], dtype=np.float32)
        if not np.isfinite(chunk).all():
            np.nan_to_num(chunk, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
        if self._waiting_since_s is None:
            self._waiting_since_s = self._now()
        # The peak is taken here, so that the player's thread need not look at every sample again.
        self._chunks.append((chunk, float(max(chunk.max(), -chunk.min()))))
        self.written_samples += count
        self._wake()

    def end(self) -> None:
        """Say that nothing more will come; what was written is still played."""
        self._ended = True
        self._wake()

    def stop(self) -> None:
        """Cut now, with a short fade; what was not sent is never heard. From any thread."""
        self._stopping = True
        self._wake()

    def pause(self) -> None:
        """Hold at the next frame, with a short fade; those behind it in its bus wait as well. From any thread.

        What sounds while it fades is not counted as heard: it is said again after `resume`.
        """
        self._paused = True
        self._wake()

    def resume(self) -> None:
        """Go on from the very sample where `pause` held, rising from silence. From any thread."""
        self._paused = False
        self._wake()

    def duck(self, *, on: bool) -> None:
        """Let it be quiet, or as loud as it was written again, from the next frame on. From any thread."""
        self._ducked = on

    def amplify(self, gain: float, over_s: float = 0.0) -> None:
        """Make it `gain` times as loud as it is written, by at most a factor of e each `over_s` seconds. From any thread."""
        self._aim = (gain, FRAME_S / over_s if over_s > 0 else float("inf"))

    @property
    def paused(self) -> bool:
        """Whether it is paused, begun or not."""
        return self._paused

    @property
    def queued_s(self) -> float:
        """Seconds written and not yet sent."""
        return 0.0 if self._end is not None else (self.written_samples - self.heard_samples) / RATE_HZ

    @property
    def begun(self) -> bool:
        """Whether the first frame was sent."""
        return self.first_frame_at_s is not None

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._end is not None

    async def finished(self) -> StreamEnd:
        """Wait until the last frame was sent, or the line was stopped, and say how it ended."""
        while self._end is None:
            await self._wait(-1.0)
        return self._end

    async def below(self, queued_s: float) -> None:
        """Wait until no more than `queued_s` seconds are queued: back-pressure for whoever writes."""
        while self.queued_s > queued_s and self._end is None:
            await self._wait(queued_s)

    # For the player's thread ------------------------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether `stop` was asked for."""
        return self._stopping

    @property
    def exhausted(self) -> bool:
        """Whether it was ended and everything was taken."""
        return self._ended and self._taken == self.written_samples

    @property
    def holding(self) -> bool:
        """Whether there is sound that waits for more before it may begin."""
        return not self._paused and not self._flowing and self._taken < self.written_samples

    @property
    def held(self) -> bool:
        """Whether its sound has sunk for a pause."""
        return self._held

    @property
    def sounding(self) -> bool:
        """Whether it has begun, is not over, and owes a frame every 20 ms."""
        return self.begun and not self._held

    def ready(self, now_s: float) -> bool:
        """Whether a frame may be taken: enough is there to begin or to go on."""
        if self._paused:
            return False
        ended = self._ended  # read before the count: what is written before `end` is then surely counted
        available = self.written_samples - self._taken
        if ended:
            return available > 0
        if self._flowing or available < FRAME_SAMPLES:
            return available >= FRAME_SAMPLES
        since = self._waiting_since_s
        waited_s = 0.0 if since is None else now_s - since
        return available >= self._preroll.target_samples or waited_s >= self._preroll.patience_s

    def take(self) -> Excerpt:
        """The next frame; behind the line's end it is silence."""
        self._flowing = True
        excerpt = self._read(min(FRAME_SAMPLES, self.written_samples - self._taken), consume=True)
        self._taken += excerpt.count
        excerpt = self._levelled(excerpt)
        if self._held:
            self._held = False
            fade_in(excerpt.samples)
        return excerpt

    def hold(self) -> Excerpt | None:
        """Note that a pause is carried out; gives the tail to be heard, None if there was no sound to sink."""
        sounding, self._held = self.sounding, True
        return self.tail() if sounding and self._taken < self.written_samples else None

    def tail(self) -> Excerpt:
        """The next few ms faded out into silence, not taken from the queue."""
        excerpt = self._read(min(FADE_SAMPLES, self.written_samples - self._taken), consume=False)
        if self._level != 1.0:
            excerpt.samples[:] *= np.float32(self._level)
        fade_out(excerpt.samples, excerpt.count)
        return Excerpt(excerpt.samples, excerpt.count, excerpt.peak * self._level)

    def _levelled(self, excerpt: Excerpt) -> Excerpt:
        """A frame as loud as it is to be; every change is a ramp, but for the one before the first sound."""
        gain, step = self._aim
        if self._ducked:
            gain, step = gain * DUCKED, float("inf")
        before = self._level if self.begun else gain
        after = gain
        if abs(gain - before) > step * max(before, SOFTEST):
            after = before + (step if gain > before else -step) * max(before, SOFTEST)
        self._level = after
        if before != after:
            excerpt.samples[:] *= np.linspace(before, after, FRAME_SAMPLES, dtype=np.float32)[:, None]
        elif after != 1.0:
            excerpt.samples[:] *= np.float32(after)
        else:
            return excerpt
        return Excerpt(excerpt.samples, excerpt.count, excerpt.peak * max(before, after))

    def ran_dry(self) -> bool:
        """Note that a frame was due and not there; true when this is a new underrun."""
        if not self._flowing:
            return False
        self._flowing = False
        self._waiting_since_s = self._now() if self._taken < self.written_samples else None
        self.underruns += 1
        self._preroll.ran_dry()
        return True

    def sent(self, count: int, at_s: float) -> None:
        """Note that a frame with `count` samples of this line went out."""
        self.heard_samples += count
        if self.first_frame_at_s is None:
            self.first_frame_at_s = at_s
        if self._waiters:
            self._tell(self.queued_s)

    def finish(self, outcome: Outcome) -> None:
        """Close the line and wake whoever waits; a second call changes nothing."""
        if self._end is not None:
            return
        if outcome == "played" and not self.underruns:
            self._preroll.went_well()
        self._end = StreamEnd(outcome, self.written_samples, self.heard_samples, self.underruns)
        self._chunks.clear()
        self._tell(-1.0)

    def _read(self, count: int, *, consume: bool) -> Excerpt:
        chunks, offset, filled, index, loudest = self._chunks, self._offset, 0, 0, 0.0
        frame = np.zeros((FRAME_SAMPLES, CHANNELS), dtype=np.float32)
        while filled < count:
            chunk, peak = chunks[index]
            part = chunk[offset : offset + count - filled]
            frame[filled : filled + len(part)] = part
            loudest = max(loudest, peak)
            filled += len(part)
            offset += len(part)
            if offset == len(chunk):
                offset = 0
                if consume:
                    chunks.popleft()
                else:
                    index += 1
        if consume:
            self._offset = offset
        return Excerpt(frame, count, loudest)

    # Waiting ----------------------------------------------------------------------------------------------------------

    async def _wait(self, queued_s: float) -> None:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop, loop.create_future(), queued_s)
        with self._waiters_lock:
            self._waiters.append(waiter)
        try:
            # The line may have moved on between the caller's look and the registration.
            if self._end is None and (queued_s < 0 or self.queued_s > queued_s):
                await waiter.future
        finally:
            with self._waiters_lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def _tell(self, queued_s: float) -> None:
        with self._waiters_lock:
            due = [waiter for waiter in self._waiters if queued_s <= waiter.queued_s or self._end is not None]
            for waiter in due:
                self._waiters.remove(waiter)
        for waiter in due:
            try:
                waiter.loop.call_soon_threadsafe(_release, waiter.future)
            except RuntimeError:  # that loop has closed: nobody waits there any more
                _log.debug("line %s: a waiter's loop is closed", self.turn_id)


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
