"""The engine for token WebSocket servers: text goes in as the model writes it, sound comes back on the same socket.

Wire format: JSON text frames `{"token": "Hel", "pitch_shift": 0}` ... `{"flush": true}` in, binary frames of float32
little-endian mono at 48 kHz out. Supports pitch (`pitch_shift`, semitones); rate is done on our side; the server has one
voice.

The protocol marks neither the end of a turn nor whose sound a frame is, so:

- A turn is over when its text was flushed and no frame came for a while: `QUIET_S` once about as much sound came as the
  text is long at the server's usual pace, `LONG_QUIET_S` while it is less. An empty binary frame, or a JSON frame that
  says so (`{"done": true}` and the like), ends it at once. Waiting costs nothing: what came is playing meanwhile.
- A turn that was cancelled, failed, or ended with far less sound than expected gives up its socket, and a new one is
  opened at once, so that late sound of one turn is never heard in the next. All other turns share one socket.
- Frames between two turns are dropped, and logged.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus, WebSocketException

from core.errors import SpeechError
from core.speech.engine import SpeechChunk, Voice, failure, shown_address
from core.speech.engines.http import CONNECT_S, MOST_MESSAGE, lost, read_json, refusal
from core.speech.recognise import no_sound
from core.speech.text_alignment import Spread, TextAlignment
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from numpy.typing import NDArray
    from websockets.asyncio.client import ClientConnection

    from core.config.speech import TokenSocketSection

_log = logging.getLogger(__name__)

QUIET_S = 0.75
LONG_QUIET_S = 2.5
_ENOUGH = 0.9  # of the expected length: it may be over
_TOO_LITTLE = 0.5  # of the expected length: something may still come
_LOUDEST = 16.0  # a float beyond this is no sample
_CLOSE_S = 1.0
_PING_S = 20.0
_SAMPLE = 4  # bytes
_FRAMES_KEPT = 256
_ENDS = ("done", "end", "eos", "final", "finished", "isFinal")

Frame = bytes | str | None  # None: the socket is closed


class _Link:
    """One socket, read all the time; what comes goes to the turn that is under way, or nowhere."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.turn: asyncio.Queue[Frame] | None = None
        self.closed = False
        self.cause: Exception | None = None

    async def read(self) -> None:
        """Pass frames on until the socket closes."""
        stray = 0
        try:
            while True:
                frame: Frame = await self.socket.recv()
                if self.turn is not None:
                    stray = 0
                    await self.turn.put(frame)  # a server that is faster than the playing waits here
                else:
                    stray += 1
                    if stray == 1:
                        _log.warning("the token server sends sound between two turns; it is dropped")
        except ConnectionClosed as error:
            self.cause = error
        finally:
            self.closed = True
            if self.turn is not None:
                _tell(self.turn, None)


class TokenSocketEngine:
    """Speech over one WebSocket that stays open for the whole session."""

    name = "websocket"
    takes_tokens = True

    def __init__(self, section: TokenSocketSection) -> None:
        self._section = section
        self.address = shown_address(section.url)
        self._pace = TextAlignment()
        self._link: _Link | None = None
        self._busy = asyncio.Lock()  # one turn at a time: the protocol cannot tell two apart
        self._connecting = asyncio.Lock()
        self._tasks = Tasks("token socket")

    async def check(self) -> None:
        """Connect, and wait for the answer to a ping.

        Raises:
            SpeechError: Nobody answers.
        """
        link = await self._connected()
        try:
            async with asyncio.timeout(CONNECT_S):
                await (await link.socket.ping())
        except (ConnectionClosed, TimeoutError) as error:
            await self.close()
            raise failure(self, "does not answer") from error

    async def open(self) -> None:
        """Nothing more than `check`, if its socket is not open any more."""
        if self._link is None or self._link.closed:
            await self.check()

    async def close(self) -> None:
        """Close the socket."""
        link, self._link = self._link, None
        if link is not None:
            await _end(link)
        await self._tasks.cancel_all()

    async def voices(self) -> Sequence[str]:
        """None: the protocol has no word for it."""
        return ()

    def native(self, voice: Voice) -> Voice:
        """Pitch, through `pitch_shift`."""
        return Voice("", 1.0, voice.pitch)

    async def stream(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """The text as sound while it comes; see above for how the end is found."""
        async with self._busy:
            link = await self._connected()
            turn = _Turn(self._section.rate_hz, Spread(self._pace))
            link.turn = turn.frames
            sending = self._tasks.start(self._send(link, text, voice.pitch, turn))
            clean = False
            try:
                while not turn.over:
                    frame = await turn.next_frame()
                    if sending.done() and not sending.cancelled() and (fault := sending.exception()) is not None:
                        raise fault
                    if frame is None and not turn.over:
                        self._mind_end(turn, link)
                    if (chunk := self._hear(turn, frame)) is not None:
                        yield chunk
                if rest := turn.spread.rest():
                    yield SpeechChunk(np.zeros(0, np.float32), self._section.rate_hz, rest)
                clean = turn.whole
                turn.spread.learn()
            finally:
                link.turn = None
                turn.drop()
                sending.cancel()
                if not clean:
                    self._replace(link)

    def _hear(self, turn: _Turn, frame: Frame) -> SpeechChunk | None:
        """What a frame brings; None if no sound."""
        if frame is None:
            return None
        if isinstance(frame, str):
            self._listen(turn, frame)
            return None
        samples = turn.samples(frame)
        # the first is also true for what is no number
        if (len(samples) and not np.abs(samples).max() <= _LOUDEST) or no_sound(samples):
            raise failure(self, "sent something that is no sound")
        if not len(samples):
            return None
        return SpeechChunk(samples, self._section.rate_hz, turn.spread.sound(len(samples) / self._section.rate_hz))

    def _listen(self, turn: _Turn, frame: str) -> None:
        """A text frame: an error, an end, or something else that does not matter."""
        said = read_json(frame)
        if said is None and frame.strip() != "null":
            raise failure(self, "sent something that is no answer")
        if not isinstance(said, dict):
            return
        message = cast("dict[str, Any]", said)
        if message.get("error"):
            raise failure(self, "reported an error") from ValueError(str(message["error"])[:500])
        if any(message.get(word) is True or message.get("type") == word for word in _ENDS):
            turn.end()

    async def _send(self, link: _Link, text: AsyncIterator[str], pitch: float, turn: _Turn) -> None:
        try:
            async for piece in text:
                turn.spread.add(piece)
                await link.socket.send(json.dumps({"token": piece, "pitch_shift": round(pitch, 3)}))
            await link.socket.send(json.dumps({"flush": True}))
        except ConnectionClosed:
            return  # the reader tells
        finally:
            turn.flushed()

    # The socket -------------------------------------------------------------------------------------------------------

    async def _connected(self) -> _Link:
        """The open socket, a new one if the last one broke."""
        async with self._connecting:
            if self._link is None or self._link.closed:
                self._link = _Link(await self._connect())
                self._tasks.start(self._link.read())
            return self._link

    async def _connect(self) -> ClientConnection:
        try:
            return await connect(
                self._section.url,
                open_timeout=CONNECT_S,
                close_timeout=_CLOSE_S,
                ping_interval=_PING_S,
                ping_timeout=None,  # a server that is busy with a model may be late with its pong
                compression=None,  # sound does not get smaller
                max_size=MOST_MESSAGE,
                max_queue=4,
                proxy=None,  # such servers are at home
            )
        except InvalidStatus as error:
            raise failure(self, refusal(error.response.status_code)) from error
        except (TimeoutError, OSError) as error:
            raise failure(self, "cannot be reached; is it running?") from error
        except (WebSocketException, EOFError) as error:
            raise failure(self, "is no token WebSocket server") from error

    def _replace(self, link: _Link) -> None:
        """Give up a socket whose turn may still have sound under way, and open a new one meanwhile."""
        if self._link is link:
            self._link = None
            self._tasks.start(self._again(), "reconnect")
        self._tasks.start(_end(link))

    async def _again(self) -> None:
        try:
            await self._connected()
        except SpeechError as error:
            _log.warning("%s It is tried again with the next turn.", error.sentence)

    def _mind_end(self, turn: _Turn, link: _Link) -> None:
        """The socket closed: the end of the turn if the server said goodbye after speaking, else a failure."""
        if not (turn.spoken and isinstance(link.cause, ConnectionClosedOK)):
            closed = link.cause if isinstance(link.cause, ConnectionClosed) else None
            raise failure(self, "broke the connection" if closed is None else lost(closed)) from link.cause
        turn.over = True


class _Turn:
    """What one turn has been given, has heard, and still expects."""

    def __init__(self, rate_hz: int, spread: Spread) -> None:
        self.frames: asyncio.Queue[Frame] = asyncio.Queue(_FRAMES_KEPT)
        self.spread = spread
        self.over = False
        self.whole = False  # nothing of it can still be under way
        self._rate_hz = rate_hz
        self._bytes = b""
        self._flushed = asyncio.Event()
        self._heard = False

    def flushed(self) -> None:
        """All text was sent."""
        self._flushed.set()
        if self.frames.empty():
            self.frames.put_nowait("{}")  # wakes the one who waits for a frame, for now silence means the end

    def drop(self) -> None:
        """Nobody listens any more: let the reader of the socket go on."""
        while not self.frames.empty():
            self.frames.get_nowait()

    @property
    def spoken(self) -> bool:
        """Whether all text was sent and some sound came."""
        return self._flushed.is_set() and self._heard

    def end(self) -> None:
        """The server said that this was all."""
        if self._flushed.is_set():
            self.over = self.whole = True

    def samples(self, frame: bytes) -> NDArray[np.float32]:
        """The samples that are complete with a frame; a frame may end inside of one."""
        if not frame:
            self.end()
        self._bytes += frame
        whole = len(self._bytes) - len(self._bytes) % _SAMPLE
        sound, self._bytes = self._bytes[:whole], self._bytes[whole:]
        self._heard = self._heard or bool(sound)
        return np.frombuffer(sound, "<f4").astype(np.float32, copy=False)

    async def next_frame(self) -> Frame:
        """The next frame; None when the turn is over, or the socket is."""
        if not self.spoken:
            return await self.frames.get()  # the speaker minds how long
        share = self.spread.sounded_s / self.spread.expected_s
        try:
            async with asyncio.timeout(QUIET_S if share >= _ENOUGH else LONG_QUIET_S):
                return await self.frames.get()
        except TimeoutError:
            self.over, self.whole = True, share >= _TOO_LITTLE
            return None


def _tell(frames: asyncio.Queue[Frame], frame: Frame) -> None:
    """Put in a frame, in place of the oldest if there is no room; nobody can hear so much any more."""
    if frames.full():
        frames.get_nowait()
    frames.put_nowait(frame)


async def _end(link: _Link) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await link.socket.close()
    except TimeoutError:
        link.socket.transport.abort()
