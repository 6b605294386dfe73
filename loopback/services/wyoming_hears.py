"""A Wyoming recogniser over TCP, as wyoming-faster-whisper: sound comes in, the text that was scripted goes out.

`describe` is answered with `info`; `transcribe` begins, `audio-start`, `audio-chunk`... and `audio-stop` carry the sound, `transcript`
ends it. With `streaming` the text also goes ahead in pieces (`transcript-start`, `-chunk`..., and `transcript-stop` behind it).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from loopback.services.service import Answer, Recorded
from loopback.services.wyoming import CREDIT, Talk, Wyoming, WyomingBehaviour, WyomingEvent

if TYPE_CHECKING:
    from loopback.services.service import Behaviour

MODEL = "tiny-int8"
TEXT = "What was said was understood."


@dataclass(frozen=True, slots=True, kw_only=True)
class WyomingHearsBehaviour(WyomingBehaviour):
    """How one piece of sound is answered; `status` other than 200 is an error event."""

    text: Any = TEXT
    language: str | None = "en"
    streaming: bool = False


@dataclass(frozen=True, slots=True)
class HeardSound:
    """One piece of sound as it came."""

    asked: dict[str, Any]  # data of `transcribe`
    form: dict[str, Any]  # data of `audio-start`
    pcm: bytes


class WyomingHears(Wyoming):
    """The recogniser."""

    behaviour: ClassVar[type[Behaviour]] = WyomingHearsBehaviour
    main: ClassVar[tuple[str, ...]] = ("transcribe",)

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.sounds: list[HeardSound] = []

    def talk(self, writer: asyncio.StreamWriter, recorded: Recorded) -> Talk:
        """What answers the events of one connection."""
        return _Hearing(self, writer, recorded)


class _Hearing:
    """One connection: what was asked, and the sound so far."""

    def __init__(self, service: WyomingHears, writer: asyncio.StreamWriter, recorded: Recorded) -> None:
        self._service = service
        self._writer = writer
        self._recorded = recorded
        self._behaviour: Any = WyomingHearsBehaviour()
        self._asked: dict[str, Any] = {}
        self._form: dict[str, Any] = {}
        self._pcm = bytearray()
        self.busy = False

    async def take(self, event: WyomingEvent) -> None:
        """Answers one event; unknown ones are dropped, as the real servers do."""
        self.busy = True
        match event.type:
            case "describe":
                answer = await self._begin(event.type)
                await answer.send(WyomingEvent("info", _info()).encode(inline=self._behaviour.inline))
            case "transcribe":
                self._asked = event.data
            case "audio-start":
                self._form = event.data
                self._pcm.clear()
            case "audio-chunk":
                self._pcm += event.payload
            case "audio-stop":
                await self._answer()
            case _:
                pass
        self.busy = False

    async def _begin(self, kind: str) -> Answer:
        self._behaviour = behaviour = self._service.take(kind)
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.refuse:
            self._writer.transport.abort()
        if behaviour.silent or behaviour.refuse:
            await asyncio.Event().wait()  # until the connection is gone
        return Answer(self._service, behaviour, self._recorded, send=self._write, cut=self._writer.transport.abort)

    async def _answer(self) -> None:
        self._service.sounds.append(HeardSound(self._asked, self._form, bytes(self._pcm)))
        self._service.note()
        answer = await self._begin("transcribe")
        behaviour = self._behaviour
        if behaviour.status != 200:
            error = {"text": behaviour.error or "transcription failed", "code": "RuntimeError"}
            await answer.send(WyomingEvent("error", error).encode())
            return
        told = {"text": behaviour.text} | ({"language": behaviour.language} if behaviour.language else {})
        if behaviour.streaming:
            await answer.send(WyomingEvent("transcript-start", {"language": behaviour.language}).encode())
            for word in str(behaviour.text).split():
                await answer.send(WyomingEvent("transcript-chunk", {"text": word + " "}).encode())
        await answer.send(WyomingEvent("transcript", told).encode(inline=behaviour.inline))
        if behaviour.streaming:
            await answer.send(WyomingEvent("transcript-stop", {}).encode())
        await answer.finish()

    async def _write(self, encoded: bytes | str) -> None:
        self._writer.write(encoded if isinstance(encoded, bytes) else encoded.encode())
        await self._writer.drain()


def _info() -> dict[str, Any]:
    model = {
        "name": MODEL,
        "languages": ["en", "de"],
        "attribution": CREDIT,
        "installed": True,
        "description": "What is scripted",
        "version": "1",
    }
    program = {
        "name": "faster-whisper",
        "attribution": CREDIT,
        "installed": True,
        "description": "Hears what is scripted",
        "version": "1",
        "models": [model],
        "supports_transcript_streaming": True,
    }
    return {"asr": [program], "tts": [], "handle": [], "intent": [], "wake": []}
