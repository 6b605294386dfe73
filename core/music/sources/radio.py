"""Sound without an end: heard as it is sent, with the titles it tells, and asked for again when it breaks off.

The bytes arrive on the event loop, are decoded on a thread a connection, and are taken by whoever plays them.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.audio.frames import CHANNELS
from core.errors import AudioError, FetchError, ParleyError
from core.music.sources.pipe import BytePipe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence

    from numpy.typing import NDArray

    from core.clock import Clock
    from core.tasks import Tasks

_log = logging.getLogger(__name__)

HELD_BLOCKS = 4  # decoded, of half a second each
LOOK_S = 0.5
BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
TOLD_S = 30.0  # of silence, after which people are told
GIVE_UP_S = 600.0
STEADY_S = 30.0  # a connection that held this long begins the waiting times anew

SILENT = "{name} has sent nothing to hear for {since:.0f} s; I keep trying."
GONE = "{name} does not come back: {why}"
ENDED = "it broke off again and again."
NOTHING = "{name} sends nothing that is sound."

_NONE: NDArray[np.float32] = np.zeros((0, CHANNELS), np.float32)


class Channel(Protocol):
    """One kind of endless sound: how it is connected to, and what it tells."""

    @property
    def title(self) -> str:
        """What plays now, as far as it says; plain text."""
        ...

    @property
    def ends(self) -> bool:
        """Whether the end of a connection is the end of the sound, and not a break."""
        ...

    def listen(self) -> AsyncGenerator[bytes]:
        """Connect, and give the sound as it comes, undecoded.

        Raises:
            FetchError: It cannot be connected to, or breaks off.
        """
        ...


class Radio:
    """A source for a queue that has no end: `blocks` gives sound, empty blocks while there is none.

    Attributes:
        name: What the station is called; plain text.
        endless: It has no places to go to.
        size: It keeps nothing on disk.
        trouble: One sentence while it has been silent for 30 s; else empty.
        watchers: Called on the event loop whenever `title` or `trouble` changes.
    """

    endless = True
    size = 0

    def __init__(self, name: str, channels: Sequence[Channel], tasks: Tasks, clock: Clock) -> None:
        """Nothing is connected to before it is played.

        Args:
            name: What to call it.
            channels: Servers that stand in for each other, the first first.
            tasks: Owns what listens.
            clock: For the time.
        """
        self.name = name
        self.trouble: str = ""
        self.watchers: list[Callable[[], None]] = []
        self._channels = list(channels)
        self._tasks = tasks
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._title = ""

    @property
    def title(self) -> str:
        """What plays now; plain text, empty if the station does not say."""
        return self._title

    def blocks(self, start_s: float) -> Generator[NDArray[np.float32], None, None]:
        """The sound from now on, 48 kHz stereo float32; for a thread that may wait. An empty block is: nothing yet.

        Raises:
            AudioError: It is no sound, or does not come back.
        """
        del start_s  # it has no places
        listening = _Listening(self, self._channels, self._clock)
        self._call(lambda: self._tasks.start(listening.run(), None))
        try:
            while (block := listening.take()) is not None:
                yield block
            if listening.problem is not None:
                raise listening.problem
        finally:
            listening.stop()
            self._call(listening.stopped.set)

    def release(self) -> None:
        """Nothing is kept."""

    def tell(self, title: str | None = None, trouble: str | None = None) -> None:
        """Something is known anew; on the event loop."""
        title = self._title if title is None else title
        trouble = self.trouble if trouble is None else trouble
        if (title, trouble) == (self._title, self.trouble):
            return
        self._title, self.trouble = title, trouble
        for watcher in tuple(self.watchers):
            watcher()

    def _call(self, action: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(action)
        except RuntimeError:  # the loop has closed: nobody listens any more
            return


class _Listening:
    """One listener of a radio: connects, decodes, and connects again."""

    def __init__(self, radio: Radio, channels: list[Channel], clock: Clock) -> None:
        self.problem: AudioError | None = None
        self.stopped = asyncio.Event()
        self._radio = radio
        self._channels = channels
        self._clock = clock
        self._decoded: queue.Queue[NDArray[np.float32]] = queue.Queue(HELD_BLOCKS)
        self._stop = threading.Event()
        self._over = threading.Event()
        self._heard_s = clock.monotonic()
        self._any = False
        self._fault: ParleyError | None = None

    # On the listener's thread -------------------------------------------------------------------------------------------

    def take(self) -> NDArray[np.float32] | None:
        """The next block; an empty one if there is none yet, None at the end."""
        try:
            return self._decoded.get(timeout=LOOK_S)
        except queue.Empty:
            return None if self._over.is_set() and self._decoded.empty() else _NONE

    def stop(self) -> None:
        """Listen no more."""
        self._stop.set()

    # On the loop --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Listen until stopped, the sound ends, or it does not come back."""
        watch = asyncio.ensure_future(self.stopped.wait())
        listen = asyncio.ensure_future(self._listen())
        mind = asyncio.ensure_future(self._mind())
        try:
            await asyncio.wait({watch, listen, mind}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stop.set()
            for each in (watch, listen, mind):
                each.cancel()
            done = await asyncio.gather(watch, listen, mind, return_exceptions=True)
            for error in done:
                if isinstance(error, Exception):
                    _log.error("listening to a radio failed", exc_info=error)
                    self.problem = AudioError(NOTHING.format(name=self._radio.name))
            self._over.set()
            self._radio.tell("", "")

    async def _listen(self) -> None:
        tries = 0
        while True:
            channel = self._channels[tries % len(self._channels)]
            began_s = self._clock.monotonic()
            fault = await self._connect(channel)
            if fault is None and channel.ends:
                return
            self._fault = fault or self._fault
            if not self._any and tries + 1 >= len(self._channels):
                self.problem = _first(self._fault, self._radio.name)
                return
            if self._clock.monotonic() - self._heard_s > GIVE_UP_S:
                why = self._fault.sentence if self._fault else ENDED
                self.problem = AudioError(GONE.format(name=self._radio.name, why=why))
                return
            tries = 0 if self._clock.monotonic() - began_s > STEADY_S else tries + 1
            await self._clock.sleep(BACK_OFF_S[min(tries, len(BACK_OFF_S)) - 1 if tries else 0])

    async def _connect(self, channel: Channel) -> ParleyError | None:
        """Listen on one connection until it breaks off; gives why, if it says so."""
        pipe = BytePipe()
        ended: asyncio.Future[AudioError | None] = asyncio.get_running_loop().create_future()
        thread = threading.Thread(target=self._decode, args=(pipe, ended), name="parley-radio", daemon=True)
        thread.start()
        fault: ParleyError | None = None
        try:
            async with aclosing(channel.listen()) as given:
                async for data in given:
                    if data:
                        await pipe.write(data)
                    self._radio.tell(title=channel.title)
            pipe.end()
        except BrokenPipeError:  # it is no sound, or nobody listens; the thread tells
            fault = None
        except FetchError as error:
            fault = error
            pipe.end()
        except BaseException:
            pipe.give_up()
            raise
        undecodable = await ended
        return fault or undecodable

    async def _mind(self) -> None:
        """Tell when it has been silent for long, and when it is back; end when it will not be, whatever hangs."""
        while True:
            await self._clock.sleep(LOOK_S)
            since_s = self._clock.monotonic() - self._heard_s
            if self._decoded.full():  # it is paused: what is there waits
                self._heard_s = self._clock.monotonic()
            elif since_s > GIVE_UP_S + TOLD_S:
                self.problem = AudioError(GONE.format(name=self._radio.name, why=ENDED))
                return
            elif since_s <= TOLD_S:
                self._radio.tell(trouble="")
            elif not self._radio.trouble:
                self._radio.tell(trouble=SILENT.format(name=self._radio.name, since=since_s))

    # On the decoding thread ---------------------------------------------------------------------------------------------

    def _decode(self, pipe: BytePipe, ended: asyncio.Future[AudioError | None]) -> None:
        from core.audio.decode import feed

        fault: AudioError | None = None
        try:
            for block in feed(pipe):
                self._heard_s = self._clock.monotonic()
                self._any = True
                if not self._put(block):
                    break
        except AudioError as error:
            fault = error
        except Exception as error:  # noqa: BLE001 - nothing else would tell whoever waits; the log has it
            _log.exception("a radio could not be decoded")
            fault = AudioError(NOTHING.format(name=self._radio.name))
            fault.__cause__ = error
        pipe.give_up()
        try:
            ended.get_loop().call_soon_threadsafe(_settle, ended, fault)
        except RuntimeError:  # the loop has closed: nobody waits any more
            return

    def _put(self, block: NDArray[np.float32]) -> bool:
        """Hand a block over as soon as there is room; false if nobody listens any more."""
        while not self._stop.is_set():
            try:
                self._decoded.put(block, timeout=LOOK_S)
            except queue.Full:
                continue
            return True
        return False


def _settle(ended: asyncio.Future[AudioError | None], fault: AudioError | None) -> None:
    if not ended.done():
        ended.set_result(fault)


def _first(fault: ParleyError | None, name: str) -> AudioError:
    """Why it could not be heard at all."""
    if isinstance(fault, FetchError):
        error = AudioError(fault.sentence)
        error.__cause__ = fault
        return error
    error = AudioError(NOTHING.format(name=name))
    error.__cause__ = fault
    return error
