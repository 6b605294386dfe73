"""Piper over HTTP, and in this process from a voice file."""

from __future__ import annotations

import sys
import time
from contextlib import aclosing
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from core.config.speech import SpeechSection
from core.errors import SpeechError
from core.speech.engine import Voice
from core.speech.factory import create_engine
from core.speech.speaker import Speaker
from loopback.services import tone
from loopback.services.piper_http import VOICE, PiperHttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    import numpy as np

TEXT = "Hello there, how are you today? This is one more sentence."


@pytest.fixture
async def server() -> AsyncIterator[PiperHttp]:
    async with PiperHttp() as server:
        yield server


def at(server: PiperHttp, **settings: Any) -> dict[str, Any]:
    return {"piper": {"url": server.url, **settings}}


async def test_text_becomes_the_servers_sound(server: PiperHttp, opened: Any, listen: Any, tokens: Any) -> None:
    async with opened("piper", **at(server, voice=VOICE)) as speaker:
        heard = await listen(speaker.speak(tokens(TEXT)))
        assert await speaker.voices() == [VOICE]
    assert heard.text == f"{TEXT} "
    assert " ".join(spoken.text for spoken in server.spoken) == TEXT
    assert heard.duration_s == pytest.approx(sum(len(s.text) for s in server.spoken) * tone.CHARACTER_S, abs=0.005)


async def test_rate_is_the_servers_length_scale(server: PiperHttp, opened: Any, listen: Any) -> None:
    async with opened("piper", **at(server)) as speaker:
        heard = await listen(speaker.say("Hello there", Voice(rate=1.25)))
    assert server.requests[-1].json == {"text": "Hello there", "length_scale": 0.8}
    assert heard.duration_s == pytest.approx(len("Hello there") * tone.CHARACTER_S / 1.25, rel=0.01)


async def test_an_older_server_is_asked_at_its_only_address(server: PiperHttp, opened: Any, listen: Any) -> None:
    server.always(on="/synthesize", status=404)
    async with opened("piper", **at(server)) as speaker:
        assert (await listen(speaker.say("Hello there."))).text == "Hello there."
    assert server.requests[-1].path == "/"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 500}, "failed"),
        ({"silent": True}, "gave no sound within"),
        ({"hang_after": 1}, "gave no sound within"),
        ({"refuse": True}, "broke the connection"),
        ({"cut_after": 1}, "broke the connection"),
        ({"garbage_after": 0, "garbage": b"<html>nginx: bad gateway"}, "sent text"),
        ({"empty": True, "times": 2}, "gave no sound"),
    ],
    ids=str,
)
async def test_a_fault_is_named_with_engine_and_address(
    server: PiperHttp, opened: Any, listen: Any, fault: dict[str, Any], words: str
) -> None:
    limit_s = 0.5 if "within" in words else 20
    async with opened("piper", first_audio_timeout_s=limit_s, **at(server)) as speaker:
        server.script(**fault)
        with pytest.raises(SpeechError) as caught:
            await listen(speaker.say("Hello there, this takes a while."))
        assert words in caught.value.sentence
        assert f"piper ({server.url})" in caught.value.sentence
        assert (await listen(speaker.say("Hello again."))).text == "Hello again."


async def test_an_unknown_voice_is_found_out_before_the_session(server: PiperHttp, opened: Any) -> None:
    with pytest.raises(SpeechError, match=f'no voice "nobody"; it has {VOICE}'):
        async with opened("piper", **at(server, voice="nobody")):
            pass


async def test_a_server_that_is_not_there_is_found_out_before_the_session(opened: Any) -> None:
    async with PiperHttp() as gone:
        settings = at(gone)
    with pytest.raises(SpeechError, match="cannot be reached"):
        async with opened("piper", **settings):
            pass


# In this process. Piper's weights cannot be had here, so its package is played by one that hums. ------------------------


@dataclass
class SynthesisConfig:
    length_scale: float | None = None


@dataclass
class AudioChunk:
    sample_rate: int
    audio_float_array: np.ndarray


class PiperVoice:
    sentences = 0

    @classmethod
    def load(cls, path: str) -> PiperVoice:
        with open(path, "rb") as file:
            if file.read(4) != b"ONNX":
                raise RuntimeError("INVALID_PROTOBUF")
        return cls()

    def synthesize(self, text: str, config: SynthesisConfig) -> Iterator[AudioChunk]:
        for sentence in text.split("|"):
            if "fail" in sentence:
                raise RuntimeError("no such phoneme")
            time.sleep(0.01)
            type(self).sentences += 1
            character_s = tone.CHARACTER_S * (config.length_scale or 1)
            yield AudioChunk(22050, tone.hum(sentence, 22050, character_s=character_s))


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("piper")
    module.PiperVoice = PiperVoice  # type: ignore[attr-defined]
    module.SynthesisConfig = SynthesisConfig  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "piper", module)
    PiperVoice.sentences = 0


@pytest.fixture
def voice_file(tmp_path: Path) -> Path:
    (tmp_path / "voices").mkdir()
    file = tmp_path / "voices" / "en_US-test.onnx"
    file.write_bytes(b"ONNX")
    file.with_name("en_US-test.onnx.json").write_text("{}")
    return file


def in_process(base: Path) -> Speaker:
    section = SpeechSection(engine="piper", piper={"voice_file": "voices/en_US-test.onnx"}, retries=0)  # type: ignore[arg-type]
    return Speaker(create_engine(section, {}, base), section)


@pytest.mark.usefixtures("package")
async def test_a_voice_file_speaks_in_this_process(voice_file: Path, tmp_path: Path, listen: Any, tokens: Any) -> None:
    speaker = in_process(tmp_path)
    await speaker.open()
    heard = await listen(speaker.speak(tokens(TEXT)))
    quick = await listen(speaker.say("Hello there", Voice(rate=2)))
    assert await speaker.voices() == (voice_file.stem,)
    await speaker.close()
    assert heard.text == f"{TEXT} "
    assert quick.duration_s == pytest.approx(len("Hello there") * tone.CHARACTER_S / 2, rel=0.01)


@pytest.mark.usefixtures("package", "voice_file")
async def test_closing_a_turn_stops_the_synthesis(tmp_path: Path) -> None:
    speaker = in_process(tmp_path)
    await speaker.open()
    async with aclosing(speaker.say("Hello there|" * 20)) as chunks:
        await anext(chunks)
    await speaker.close()
    assert PiperVoice.sentences < 15


@pytest.mark.usefixtures("package", "voice_file")
async def test_a_text_that_the_voice_cannot_speak_is_a_fault(tmp_path: Path, listen: Any) -> None:
    speaker = in_process(tmp_path)
    await speaker.open()
    with pytest.raises(SpeechError, match=r"piper \(en_US-test.onnx\) could not speak") as caught:
        await listen(speaker.say("please fail"))
    assert "phoneme" in str(caught.value.__cause__)
    await speaker.close()


@pytest.fixture
def damaged_file(voice_file: Path) -> None:
    voice_file.write_bytes(b"<html>")


@pytest.fixture
def lone_file(voice_file: Path) -> None:
    voice_file.with_name("en_US-test.onnx.json").unlink()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("damaged_file", "is no Piper voice"),
        ("lone_file", "needs en_US-test.onnx.json beside en_US-test.onnx"),
        ("package", "has no voice file en_US-test.onnx"),
    ],
)
@pytest.mark.usefixtures("package")
async def test_a_missing_or_damaged_voice_file_is_found_out_before_the_session(
    request: pytest.FixtureRequest, tmp_path: Path, state: str, words: str
) -> None:
    request.getfixturevalue(state)
    with pytest.raises(SpeechError) as caught:
        await in_process(tmp_path).open()
    assert words in caught.value.sentence
    assert str(tmp_path) not in caught.value.sentence


@pytest.mark.usefixtures("voice_file")
async def test_a_missing_package_is_named_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piper", None)
    with pytest.raises(SpeechError, match="pip install piper-tts"):
        await in_process(tmp_path).open()
