"""The `wyoming` package's own server, that Home Assistant's services are built on, judges our engine; espeak-ng speaks behind it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.server import AsyncEventHandler, AsyncTcpServer
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

from core.config.speech import EspeakSection
from core.speech.clause_feed import Script
from core.speech.engine import Voice
from core.speech.engines.espeak import EspeakEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wyoming.event import Event


TEXT = "Hello there, this is a real server. And this is its second sentence."
CREDIT = Attribution(name="somebody", url="http://127.0.0.1")


class Service(AsyncEventHandler):
    """A speech service as its authors write them."""

    def __init__(self, engine: EspeakEngine, streaming: bool, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._engine, self._streaming = engine, streaming
        self._text: list[str] | None = None

    async def handle_event(self, event: Event) -> bool:
        if Describe.is_type(event.type):
            voices = [
                TtsVoice(f"voice{number}", CREDIT, True, "One of many voices " * 20, None, ["en"])
                for number in range(300)
            ]
            program = TtsProgram(
                "espeak", CREDIT, True, "", "1", voices=voices, supports_synthesize_streaming=self._streaming
            )
            await self.write_event(Info(tts=[program]).event())
        elif Synthesize.is_type(event.type) and self._text is None:
            await self._speak(Synthesize.from_event(event).text)
        elif SynthesizeStart.is_type(event.type):
            self._text = []
        elif SynthesizeChunk.is_type(event.type) and self._text is not None:
            self._text.append(SynthesizeChunk.from_event(event).text)
        elif SynthesizeStop.is_type(event.type) and self._text is not None:
            text, self._text = "".join(self._text), None
            await self._speak(text)
            await self.write_event(SynthesizeStopped().event())
        return True

    async def _speak(self, text: str) -> None:
        rate_hz, started = 22050, False
        script = Script(_once(text))
        script.start()
        async for chunk in self._engine.stream(script.deltas(), Voice()):
            if not started:
                started, rate_hz = True, chunk.rate_hz
                await self.write_event(AudioStart(rate_hz, 2, 1).event())
            pcm = (chunk.samples * 32767).astype("<i2").tobytes()
            await self.write_event(AudioChunk(rate_hz, 2, 1, pcm).event())
        await script.close()
        await self.write_event(AudioStop().event())


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_wyoming_packages_own_server_is_understood(opened: Any, listen: Any, streaming: bool) -> None:
    engine = EspeakEngine(EspeakSection())
    await engine.open()
    server = AsyncTcpServer("127.0.0.1", 0)
    await server.start(partial(Service, engine, streaming))
    try:
        port = server._server.sockets[0].getsockname()[1]
        async with opened("wyoming", wyoming={"host": "127.0.0.1", "port": port}) as speaker:
            assert len(await speaker.voices()) == 300
            heard = await listen(speaker.say(TEXT))
        async with opened("espeak") as speaker:
            same = await listen(speaker.say(TEXT))
    finally:
        await server.stop()
        await engine.close()
    assert heard.text == TEXT
    assert heard.duration_s == pytest.approx(same.duration_s, rel=0.2)
    assert 0.01 < float(np.sqrt(np.mean(heard.sound**2))) < 0.3


async def _once(text: str) -> AsyncIterator[str]:
    yield text
