"""A Wyoming speech server over TCP, as Piper's: one whole text, or text streamed in and sound streamed out.

Wire format: a line of JSON `{"type", "data_length", "payload_length"}`, then that many bytes of JSON data, then that
many of payload. `describe` is answered with `info`; `synthesize` with `audio-start`, `audio-chunk`..., `audio-stop`; a streamed
text (`synthesize-start`, `-chunk`..., `-stop`) gives one such group a sentence and ends with `synthesize-stopped`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from loopback.services import tone
from loopback.services.service import Answer, Recorded, SentMessage, Service
from loopback.services.speech import SpeechBehaviour, Spoken, now_spoken, pieces, speak

if TYPE_CHECKING:
    from loopback.services.service import Behaviour

SENTENCE = re.compile(r".*?[.!?…]+\s+", re.DOTALL)
VOICE = "en_US-lessac-medium"
CREDIT = {"name": "loopback", "url": "http://127.0.0.1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WyomingBehaviour(SpeechBehaviour):
    """How one text is spoken; a piece is one event. `error` answers with an error event of these words."""

    chunk_bytes: int = 2048
    status: int = 200  # anything else: an error event in place of sound
    channels: Any = 1  # as events name them; the sound has as many if that can be
    width: Any = 2
    inline: bool = False  # data inside of an event's first line, as the protocol allows
    padding: int = 0  # characters that `info` has beyond the usual: servers list hundreds of voices


@dataclass(frozen=True, slots=True)
class WyomingEvent:
    """One event on the wire."""

    type: str
    data: dict[str, Any]
    payload: bytes = b""

    def encode(self, *, inline: bool = False) -> bytes:
        """The event as it travels, its data behind its first line or inside of it."""
        if inline:
            head = {"type": self.type, "data": self.data, "payload_length": len(self.payload)}
            return json.dumps(head, ensure_ascii=False).encode() + b"\n" + self.payload
        data = json.dumps(self.data, ensure_ascii=False).encode() if self.data else b""
        head = {"type": self.type, "version": "1.10.2", "data_length": len(data), "payload_length": len(self.payload)}
        return json.dumps(head).encode() + b"\n" + data + self.payload

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> WyomingEvent | None:
        """The next event, or None at the end of the stream. Raises `ValueError` for what is none."""
        line = await reader.readline()
        if not line:
            return None
        head = json.loads(line)
        data = dict(head.get("data") or {})
        if head.get("data_length"):
            data |= json.loads(await reader.readexactly(head["data_length"]))
        return cls(head["type"], data, await reader.readexactly(head.get("payload_length") or 0))


class Talk(Protocol):
    """One connection's side of the talk."""

    busy: bool  # an event is being answered

    async def take(self, event: WyomingEvent) -> None:
        """Answers one event."""
        ...


class Wyoming(Service[WyomingBehaviour]):
    """The speech server. With `streaming=False` it knows nothing of streamed text, as older servers."""

    behaviour: ClassVar[type[Behaviour]] = WyomingBehaviour
    main: ClassVar[tuple[str, ...]] = ("synthesize", "synthesize-start")
    scheme: ClassVar[str] = "tcp"
    rate_hz: int = 22050

    def __init__(self, *, streaming: bool = True, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.streaming = streaming
        self.spoken: list[Spoken] = []
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Opens the port."""
        self._server = await asyncio.start_server(self._connected, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Closes the port and drops every connection."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await server.wait_closed()

    def talk(self, writer: asyncio.StreamWriter, recorded: Recorded) -> Talk:
        """What answers the events of one connection."""
        return _Talk(self, writer, recorded)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connections.add(task)
        recorded = Recorded("TCP", "", time.monotonic())
        self.requests.append(recorded)
        self.note()
        try:
            await self._converse(reader, writer, recorded)
        except (ConnectionError, asyncio.IncompleteReadError):
            recorded.disconnected = True
        except asyncio.CancelledError:
            recorded.disconnected = True  # only `close` cancels; the task ends here either way
        finally:
            recorded.ended_s = time.monotonic()
            self.note()
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):  # it may be gone already
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recorded: Recorded) -> None:
        talk = self.talk(writer, recorded)
        events: asyncio.Queue[WyomingEvent] = asyncio.Queue()

        async def speak_in_turn() -> None:
            while True:
                await talk.take(await events.get())

        speaker = asyncio.create_task(speak_in_turn())
        try:
            while event := await WyomingEvent.read(reader):
                recorded.messages.append(SentMessage(event, time.monotonic()))
                self.note()
                events.put_nowait(event)
        except ValueError:
            writer.write(_error("not a Wyoming event", "bad-event"))
        finally:
            recorded.disconnected = not speaker.done() and talk.busy
            speaker.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):  # nobody is left to hear the rest
                await speaker


class _Talk:
    """One connection's state: whether text is being streamed in, and how it is spoken."""

    def __init__(self, service: Wyoming, writer: asyncio.StreamWriter, recorded: Recorded) -> None:
        self._service = service
        self._writer = writer
        self._recorded = recorded
        self._behaviour = WyomingBehaviour()
        self._answer: Answer | None = None
        self._streaming = False
        self._voice = ""
        self._text = ""
        self.busy = False

    async def take(self, event: WyomingEvent) -> None:
        """Answers one event; unknown ones are dropped, as the real servers do."""
        self.busy = True
        if event.type == "describe":
            await self._begin(event.type)
            info = _info(streaming=self._service.streaming, padding=self._behaviour.padding)
            await self._send(WyomingEvent("info", info).encode(inline=self._behaviour.inline))
        elif event.type == "synthesize" and not self._streaming:
            await self._begin(event.type, event.data)
            await self._speak(str(event.data.get("text", "")))
            await self._finish()
        elif self._service.streaming:
            await self._take_streamed(event)
        self.busy = False

    async def _take_streamed(self, event: WyomingEvent) -> None:
        if event.type == "synthesize-start":
            self._streaming, self._text = True, ""
            await self._begin(event.type, event.data)
        elif event.type == "synthesize-chunk" and self._streaming:
            self._text += str(event.data.get("text", ""))
            while sentence := SENTENCE.match(self._text):
                self._text = self._text[sentence.end() :]
                await self._speak(sentence[0])
        elif event.type == "synthesize-stop" and self._streaming:
            self._streaming = False
            if self._text.strip():
                await self._speak(self._text)
            await self._send(WyomingEvent("synthesize-stopped", {}).encode())
            await self._finish()

    async def _begin(self, kind: str, data: dict[str, Any] | None = None) -> None:
        self._voice = str(((data or {}).get("voice") or {}).get("name") or VOICE)
        self._behaviour = self._service.take(kind)
        await asyncio.sleep(self._behaviour.delay_s)
        if self._behaviour.refuse:
            self._writer.transport.abort()
        if self._behaviour.silent or self._behaviour.refuse:
            await asyncio.Event().wait()  # until the connection is gone
        self._answer = Answer(
            self._service, self._behaviour, self._recorded, send=self._write, cut=self._writer.transport.abort
        )

    async def _speak(self, text: str) -> None:
        if self._behaviour.status != 200:
            await self._send(_error(self._behaviour.error or "synthesis failed", "RuntimeError"))
            return
        samples = speak(self._service, now_spoken(text.strip(), voice=self._voice), self._behaviour)
        behaviour = self._behaviour
        rate_hz = self._service.rate_hz if behaviour.rate_hz is None else behaviour.rate_hz
        form = {"rate": rate_hz, "width": behaviour.width, "channels": behaviour.channels}
        if behaviour.channels in (2, 3, 4):
            samples = samples.repeat(behaviour.channels)
        await self._send(WyomingEvent("audio-start", form).encode(inline=behaviour.inline))
        for piece in pieces(tone.pcm16(samples), behaviour.chunk_bytes):
            await self._send(WyomingEvent("audio-chunk", form, piece).encode(inline=behaviour.inline))
        await self._send(WyomingEvent("audio-stop", {}).encode())

    async def _send(self, encoded: bytes) -> None:
        if self._answer is not None:
            await self._answer.send(encoded)

    async def _finish(self) -> None:
        if self._answer is not None:
            await self._answer.finish()

    async def _write(self, encoded: bytes | str) -> None:
        self._writer.write(encoded if isinstance(encoded, bytes) else encoded.encode())
        await self._writer.drain()


def _error(text: str, code: str) -> bytes:
    return WyomingEvent("error", {"text": text, "code": code}).encode()


def _info(*, streaming: bool, padding: int = 0) -> dict[str, Any]:
    voice = {
        "name": VOICE,
        "languages": ["en_US"],
        "attribution": CREDIT,
        "installed": True,
        "description": "hum" + " " * padding,
        "version": None,
        "speakers": None,
    }
    program = {
        "name": "piper",
        "attribution": CREDIT,
        "installed": True,
        "description": "A hum for every word",
        "version": "1",
        "voices": [voice],
        "supports_synthesize_streaming": streaming,
    }
    return {"asr": [], "tts": [program], "handle": [], "intent": [], "wake": []}
