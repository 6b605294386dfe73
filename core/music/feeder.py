"""Decodes a track on a thread of its own into its line: a little ahead of what is heard, and no more."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import CHANNELS, FRAME_SAMPLES, RATE_HZ
from core.errors import AudioError, ParleyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from core.music.lines import MusicLine
    from core.music.track import Blocks

_log = logging.getLogger(__name__)

QUEUED_S = 2.0  # decoded sound kept ready
LOOK_S = 0.25  # how often a thread that waits for room looks, at most
BLOCK_S = 20.0  # that decoding one block may take; then its thread is left to itself
STUCK = "The file takes too long to decode."
BROKEN = "Something in it went wrong on my side; the log has the details."

_NONE: NDArray[np.float32] = np.zeros((0, CHANNELS), np.float32)


@dataclass(frozen=True, slots=True)
class Fed:
    """Everything is decoded. `rest` was not written: it belongs before what follows, or to the end of this line."""

    rest: NDArray[np.float32]
    problem: ParleyError | None = None


class Feeder:
    """One track on its way into one line.

    The thread neither needs the event loop nor is needed by it for as long as something is queued: two seconds of either's
    sleep are not heard.
    """

    def __init__(
        self,
        blocks: Callable[[], Blocks],
        line: MusicLine,
        *,
        carry: NDArray[np.float32] = _NONE,
        fade: bool = False,
        hold_s: float = 0.0,
    ) -> None:
        """Begin at once.

        Args:
            blocks: Opens the sound; called on the thread.
            line: Where it goes.
            carry: Sound of the track before that comes first.
            fade: Whether that sinks while this rises, both at once, instead of one after the other.
            hold_s: Seconds of the end to give back for such a fade, besides what is shorter than a frame.
        """
        self._blocks = blocks
        self._line = line
        self._carry = carry
        self._fade = fade and len(carry) > FRAME_SAMPLES
        self._fade_samples = len(carry)
        self._hold = round(hold_s * RATE_HZ)
        self._stop = threading.Event()
        self._working_since_s: float | None = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[None] = self._loop.create_future()
        self._done: asyncio.Future[Fed] = self._loop.create_future()
        threading.Thread(target=self._run, name="parley-music", daemon=True).start()

    def stop(self) -> None:
        """Decode no more; what is written stays."""
        self._stop.set()

    async def begun(self) -> None:
        """Wait until there is something to hear, or never will be."""
        await asyncio.wait([self._begun], timeout=BLOCK_S)

    async def done(self) -> Fed:
        """Wait until everything is written but the rest, decoding is stopped, or it takes too long."""
        while not self._done.done():
            await asyncio.wait([self._done], timeout=BLOCK_S / 4)
            since_s = self._working_since_s
            if not self._done.done() and since_s is not None and time.monotonic() - since_s > BLOCK_S:
                self.stop()
                return Fed(_NONE, AudioError(STUCK))
        return self._done.result()

    # On the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        rest, problem = _NONE, None
        try:
            rest = self._feed()
        except ParleyError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - nothing else would tell whoever waits; the log has it
            _log.exception("a track could not be decoded")
            problem = AudioError(BROKEN)
            problem.__cause__ = error
        try:
            self._loop.call_soon_threadsafe(self._tell, Fed(rest, problem))
        except RuntimeError:  # the loop has closed: nobody waits any more
            _log.debug("a track's loop is closed")

    def _feed(self) -> NDArray[np.float32]:
        rest = _NONE if self._fade else self._carry
        given = self._blocks()
        try:
            while not self._over:
                self._working_since_s = time.monotonic()
                block = next(given, None)
                self._working_since_s = None
                if block is None:
                    return self._with_remains(rest)
                if self._fade:
                    block = self._faded(block)
                rest = np.concatenate((rest, block)) if len(rest) else block
                count = max(0, len(rest) - self._hold) // FRAME_SAMPLES * FRAME_SAMPLES
                if count:
                    self._line.write(rest[:count])
                    rest = rest[count:].copy()
                    self._tell_begun()
                self._wait_for_room()
        finally:
            self._working_since_s = None
            given.close()
        return _NONE

    def _with_remains(self, rest: NDArray[np.float32]) -> NDArray[np.float32]:
        """The end of a track that is shorter than the fade into it."""
        if not self._fade or not len(self._carry):
            return rest
        return np.concatenate((rest, self._faded(np.zeros_like(self._carry))))

    @property
    def _over(self) -> bool:
        return self._stop.is_set() or self._line.done

    def _wait_for_room(self) -> None:
        while not self._over and (ahead_s := self._line.queued_s - QUEUED_S) > 0:
            self._stop.wait(min(LOOK_S, ahead_s))

    def _faded(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """A block with what is left of the track before mixed in: as much power together as either alone."""
        count = min(len(block), len(self._carry))
        if not count:
            self._fade = False
            return block
        whole = self._fade_samples
        done = whole - len(self._carry)
        angle = (np.arange(done, done + count, dtype=np.float32) / whole * np.float32(np.pi / 2))[:, None]
        mixed = block.copy()
        mixed[:count] *= np.sin(angle)
        mixed[:count] += self._carry[:count] * np.cos(angle)
        self._carry = self._carry[count:]
        return mixed

    def _tell_begun(self) -> None:
        if not self._begun.done():
            try:
                self._loop.call_soon_threadsafe(_settle, self._begun)
            except RuntimeError:  # the loop has closed: nobody waits any more
                _log.debug("a track's loop is closed")

    def _tell(self, fed: Fed) -> None:
        _settle(self._begun)
        if not self._done.done():
            self._done.set_result(fed)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
