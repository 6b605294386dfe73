"""What real speech servers get wrong, tried end to end: what is sound is heard whole, and nothing else is ever heard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.errors import SpeechError
from core.speech.engines import http
from core.speech.sniff import SoundReader
from loopback.services import tone
from loopback.services.elevenlabs import ElevenLabs
from loopback.services.encoded import CONTAINERS
from loopback.services.piper_http import PiperHttp
from loopback.services.speech import wav
from loopback.services.speech_http import SpeechHttp
from loopback.services.speech_tokens import SpeechTokens
from loopback.services.wyoming import Wyoming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HELLO = "Hello you good friend"
WORDS = HELLO.split()
THREE = "This is the first of them. Это второе предложение здесь. And here is the third one."


@pytest.fixture
async def server() -> AsyncIterator[SpeechHttp]:
    async with SpeechHttp() as server:
        yield server


@pytest.fixture
async def wyoming() -> AsyncIterator[Wyoming]:
    async with Wyoming(streaming=False) as server:
        yield server


@pytest.fixture
async def eleven() -> AsyncIterator[ElevenLabs]:
    async with ElevenLabs() as server:
        yield server


@pytest.fixture
async def tokens_server() -> AsyncIterator[SpeechTokens]:
    async with SpeechTokens() as server:
        yield server


def at(server: Any, **settings: Any) -> dict[str, Any]:
    """The engine that speaks to a server, and its settings."""
    if isinstance(server, SpeechHttp):
        return {"engine": "openai", "openai": {"base_url": server.base_url}, **settings}
    if isinstance(server, PiperHttp):
        return {"engine": "piper", "piper": {"url": server.url}, **settings}
    if isinstance(server, Wyoming):
        return {"engine": "wyoming", "wyoming": {"host": "127.0.0.1", "port": server.port}, **settings}
    if isinstance(server, ElevenLabs):
        return {"engine": "elevenlabs", "elevenlabs": {"url": server.url, "voice_id": "someone"}, **settings}
    return {"engine": "websocket", "websocket": {"url": server.url}, **settings}


async def refusal(server: Any, opened: Any, listen: Any, text: str = HELLO, **settings: Any) -> str:
    """What is told of a server that cannot be understood; nothing of it may have been heard."""
    heard: list[np.ndarray] = []
    async with opened(**at(server, **settings)) as speaker:
        with pytest.raises(SpeechError) as caught:
            async for chunk in speaker.say(text):
                heard.append(chunk.samples)  # noqa: PERF401 - what came before the error is looked at
    assert sum(map(len, heard)) == 0, "noise was heard"
    return caught.value.sentence


# Compressed ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type", [None, "audio/wav", "application/octet-stream", "text/html; charset=utf-8", ""]
)
@pytest.mark.parametrize("container", CONTAINERS)
async def test_compressed_sound_is_known_by_its_content_and_decoded(
    server: SpeechHttp, opened: Any, listen: Any, container: str, content_type: str | None
) -> None:
    server.always(container=container, content_type=content_type)
    async with opened(**at(server)) as speaker:
        heard = await listen(speaker.say(HELLO))
    assert heard.text == HELLO
    assert heard.duration_s == pytest.approx(len(HELLO) * tone.CHARACTER_S, abs=0.25)
    assert tone.recognise(heard.sound, 48000, WORDS) == WORDS
    assert np.abs(heard.sound).max() < 0.6, "not at full level"


async def test_decoding_leaves_the_event_loop_free(
    server: SpeechHttp, opened: Any, listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from core.audio import decode

    threads: set[int] = set()
    samples = decode._samples

    def watched(*args: Any) -> Any:
        threads.add(threading.get_ident())
        return samples(*args)

    monkeypatch.setattr(decode, "_samples", watched)
    server.always(container="mp3")
    async with opened(**at(server)) as speaker:
        await listen(speaker.say(HELLO))
    assert threads
    assert threading.get_ident() not in threads


async def test_compressed_sound_without_end_is_bounded(
    server: SpeechHttp, opened: Any, listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.speech.sniff._MOST_PACKED", 100_000)
    server.always(body=b"OggS" + bytes(200_000))
    assert "sent more than" in await refusal(server, opened, listen)


# What is no sound ---------------------------------------------------------------------------------------------------------

NOISE = np.random.default_rng(7).bytes(20_000)
PAGE = "<!DOCTYPE html><html lang='ja'><title>エラー</title><p>音声が見つかりません</p></html>"


@pytest.mark.parametrize("content_type", [None, "audio/wav", "audio/mpeg", "application/json", "text/html", ""])
@pytest.mark.parametrize(
    "body",
    [
        '{"error": "Голос не найден, выберите другой голос."}'.encode(),
        '{"错误": "没有这个声音，请选择另一个声音再试一次"}'.encode(),
        '{"错误": "没有这个声音，请选择另一个声音再试一次"}'.encode("gbk"),
        '\ufeff{"error": "no such voice here"}'.encode("utf-16-le"),
        '\ufeff{"error": "no such voice here"}'.encode(),
        PAGE.encode(),
        PAGE.encode("shift-jis"),
        "エラーが発生しました。もう一度お試しください。".encode(),
        "Fehler: diese Stimme gibt es für Übungen nicht".encode("latin-1"),
        b'data: {"type": "speech.audio.delta"}\n\n' * 9,
        NOISE,
        b"\xff\xfb\x90\x64" + NOISE,
        b"\xff\xf1\x50\x80" + NOISE,
        b"OggS" + NOISE,
        b"\0\0\0\x20ftypM4A " + NOISE,
        b"\x1f\x8b\x08" + NOISE,
        b"\x89PNG\r\n\x1a\n" + NOISE,
    ],
    ids=lambda body: repr(body[:14]) if isinstance(body, bytes) else str(body),
)
async def test_what_is_no_sound_is_refused_and_never_heard(
    server: SpeechHttp, opened: Any, listen: Any, body: bytes, content_type: str | None
) -> None:
    server.always(body=body, content_type=content_type, chunk_bytes=777)
    said = await refusal(server, opened, listen)
    assert f"openai ({server.base_url}) sent" in said


async def test_noise_in_the_middle_of_sound_ends_it(server: SpeechHttp, opened: Any) -> None:
    server.always(garbage_after=4, garbage=NOISE)
    async with opened(**at(server)) as speaker:
        heard: list[np.ndarray] = []
        with pytest.raises(SpeechError, match="no sound"):
            async for chunk in speaker.say(HELLO):
                heard.append(chunk.samples)  # noqa: PERF401 - what came before the error is looked at
    assert np.abs(np.concatenate(heard)).max() < 0.6


# WAV ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_bytes", [1, 45, 4096, 10**6])
@pytest.mark.parametrize("wav_size", [None, 0, 0xFFFFFFFF, 0x7FFFFF00, 200, 4001])
@pytest.mark.parametrize("extra", [b"", b"odd"])
async def test_one_wav_a_sentence_is_heard_as_one_speech_without_a_click(
    server: SpeechHttp, opened: Any, listen: Any, wav_size: int | None, chunk_bytes: int, extra: bytes
) -> None:
    text = "One. Two. Three."
    server.always(
        container="wav", glued=True, wav_size=wav_size, chunk_bytes=chunk_bytes, wav_extra=extra, rate_hz=48000
    )
    server.always(character_s=0.02)
    async with opened(**at(server, first_clause_chars=100)) as speaker:
        heard = await listen(speaker.say(text))
    want = np.concatenate([tone.hum(part, 48000, character_s=0.02) for part in ("One. ", "Two. ", "Three.")])
    assert len(heard.sound) == len(want)
    assert np.abs(heard.sound - want).max() < 0.001, "a header was heard"


@pytest.mark.parametrize("step", [1, 44, 5000, 10**6])
def test_wavs_of_different_rates_are_each_played_at_their_own(step: int) -> None:
    low, high = tone.hum("low", 16000), tone.hum("high", 44100)
    sent = wav(tone.pcm16(low), 16000) + wav(tone.pcm16(high), 44100)
    reader, given = SoundReader(24000), {16000: 0, 44100: 0}
    for start in range(0, len(sent), step):
        samples = reader.read(sent[start : start + step])
        while len(samples):
            given[reader.rate_hz] += len(samples)
            samples = reader.read(b"")
    assert given == {16000: len(low), 44100: len(high)}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"wav_bits": 0}, "0 bits"),
        ({"wav_bits": 7}, "7 bits"),
        ({"wav_bits": 65535}, "65535 bits"),
        ({"rate_hz": 1}, "1 Hz"),
        ({"rate_hz": 400_000}, "400000 Hz"),
        ({"wav_extra": bytes(70_000)}, "damaged WAV"),
    ],
    ids=str,
)
async def test_a_wav_that_cannot_be_is_refused_with_what_is_wrong_with_it(
    server: SpeechHttp, opened: Any, listen: Any, answer: dict[str, Any], words: str
) -> None:
    server.always(container="wav", character_s=0.001 if "rate_hz" in answer else 0.06, **answer)
    assert words in await refusal(server, opened, listen)


# A piece without sound ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SpeechHttp, PiperHttp, Wyoming])
async def test_a_piece_the_voice_cannot_say_is_passed_over(kind: Any, opened: Any, listen: Any) -> None:
    async with kind(**({"streaming": False} if kind is Wyoming else {})) as server:
        server.always(mute="[а-я]")
        async with opened(**at(server, retries=1, chunk_chars=40)) as speaker:
            heard = await listen(speaker.say(THREE))
    assert "first of them." in heard.text
    assert "third one." in heard.text
    assert "второе" not in heard.text, "what was not heard is not called said"
    assert heard.duration_s == pytest.approx(len(heard.text) * tone.CHARACTER_S, abs=0.2)


@pytest.mark.parametrize("mute", [".", "second|third|fourth|fifth"])
async def test_when_several_pieces_or_all_have_no_sound_that_is_told(
    server: SpeechHttp, opened: Any, listen: Any, mute: str
) -> None:
    text = " ".join(
        f"This is the {number} sentence of the text." for number in ("first", "second", "third", "fourth", "fifth")
    )
    server.always(mute=mute)
    async with opened(**at(server, chunk_chars=40)) as speaker:
        with pytest.raises(SpeechError, match="gave no sound for a piece of text"):
            await listen(speaker.say(text))


# Wyoming ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [0, 100_000, 1_000_000])
@pytest.mark.parametrize("inline", [False, True])
async def test_info_is_read_wherever_and_however_long_its_data_is(
    wyoming: Wyoming, opened: Any, listen: Any, inline: bool, padding: int
) -> None:
    wyoming.always(on="describe", inline=inline, padding=padding)
    wyoming.always(inline=inline)
    async with opened(**at(wyoming)) as speaker:
        assert len(await speaker.voices()) == 1
        heard = await listen(speaker.say(HELLO))
    assert heard.duration_s == pytest.approx(len(HELLO) * tone.CHARACTER_S, abs=0.05)


@pytest.mark.parametrize("channels", [2, 4])
async def test_wyoming_sound_of_several_channels_becomes_one(
    wyoming: Wyoming, opened: Any, listen: Any, channels: int
) -> None:
    wyoming.always(channels=channels)
    async with opened(**at(wyoming)) as speaker:
        heard = await listen(speaker.say(HELLO))
    assert heard.duration_s == pytest.approx(len(HELLO) * tone.CHARACTER_S, abs=0.05)


@pytest.mark.parametrize(
    "form",
    [
        {"channels": 0},
        {"channels": -1},
        {"channels": 2**31},
        {"channels": 10**400},
        {"channels": "two"},
        {"width": 0},
        {"width": 10**9},
        {"width": None},
    ],
    ids=lambda form: str(form)[:40],
)
async def test_wyoming_sound_of_a_form_that_cannot_be_is_refused(
    wyoming: Wyoming, opened: Any, listen: Any, form: dict[str, Any]
) -> None:
    wyoming.always(**form)
    assert "of a kind that is not read here" in await refusal(wyoming, opened, listen)


@pytest.mark.parametrize(
    "garbage",
    [
        b'{"type": "audio-chunk", "payload_length": 1e999}\n',
        b'{"type": "audio-chunk", "payload_length": 99999999999}\n',
        b'{"type": "audio-chunk", "data": [1, 2]}\n',
        b"[" * 100_000 + b"\n",
        b'"a word"\n',
        b"x" * (5 * 2**20),
        b'{"type": "audio-chunk", "data": {"rate": 0, "width": 2, "channels": 1}, "payload_length": 2}\nab',
        b'{"type": "audio-chunk", "data": {"rate": 10000000000, "width": 2, "channels": 1}, "payload_length": 2}\nab',
    ],
    ids=lambda garbage: repr(garbage[:60]),
)
async def test_what_is_no_wyoming_event_is_refused(wyoming: Wyoming, opened: Any, listen: Any, garbage: bytes) -> None:
    wyoming.always(garbage_after=0, garbage=garbage)
    said = await refusal(wyoming, opened, listen)
    assert "no Wyoming event" in said or "of a kind" in said


# Sockets ------------------------------------------------------------------------------------------------------------------


async def test_a_message_of_any_size_is_not_taken(
    eleven: ElevenLabs, tokens_server: SpeechTokens, opened: Any, listen: Any
) -> None:
    eleven.always(bloat=http.MOST_MESSAGE + 1000)
    assert "sent a message of more than 16 MiB" in await refusal(eleven, opened, listen)
    tokens_server.always(frame=bytes(http.MOST_MESSAGE + 1000))
    assert "sent a message of more than 16 MiB" in await refusal(tokens_server, opened, listen)


@pytest.mark.parametrize("audio", ["no base64!", "QUJ", 5, ["QUJD"], {"a": 1}, "ü", True])
async def test_audio_that_is_no_base64_is_refused(eleven: ElevenLabs, opened: Any, listen: Any, audio: Any) -> None:
    eleven.always(audio=audio)
    assert "sent something that is no sound" in await refusal(eleven, opened, listen)


async def test_base64_of_a_file_is_refused(eleven: ElevenLabs, opened: Any, listen: Any) -> None:
    import base64

    eleven.always(audio=base64.b64encode(NOISE).decode())
    assert "no sound" in await refusal(eleven, opened, listen)


@pytest.mark.parametrize(
    "times",
    [[float("nan")] * 16, [float("inf")] * 16, [-5] * 16, list(range(16, 0, -1)), [10**400] * 16, "soon", [None]],
)
async def test_times_that_cannot_be_cost_no_sound(eleven: ElevenLabs, opened: Any, listen: Any, times: Any) -> None:
    eleven.always(times=times)
    async with opened(**at(eleven)) as speaker:
        heard = await listen(speaker.say(HELLO))
    assert heard.text == HELLO
    assert heard.duration_s == pytest.approx(len(HELLO) * tone.CHARACTER_S, abs=0.1)


@pytest.mark.parametrize("garbage", ["[1, 2]", "5", "null", "[" * 100_000, '{"audio": ', "\u0000"])
async def test_json_that_is_no_answer_is_refused(eleven: ElevenLabs, opened: Any, listen: Any, garbage: str) -> None:
    eleven.always(garbage_after=0, garbage=garbage)
    assert "sent something that is no answer" in await refusal(eleven, opened, listen)


@pytest.mark.parametrize("garbage", ["[" * 100_000, '{"done": '])
async def test_token_servers_are_held_to_json_too(
    tokens_server: SpeechTokens, opened: Any, listen: Any, garbage: str
) -> None:
    tokens_server.always(garbage_after=0, garbage=garbage)
    assert "sent something that is no answer" in await refusal(tokens_server, opened, listen)


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), -float("inf"), 32767.0])
async def test_floats_that_are_no_samples_are_refused(
    tokens_server: SpeechTokens, opened: Any, listen: Any, factor: float
) -> None:
    tokens_server.always(factor=factor)
    assert "sent something that is no sound" in await refusal(tokens_server, opened, listen)


@pytest.mark.parametrize("chunk_bytes", [1, 3, 5, 1001])
async def test_samples_that_are_cut_anywhere_are_put_together(
    tokens_server: SpeechTokens, opened: Any, listen: Any, chunk_bytes: int
) -> None:
    tokens_server.always(chunk_bytes=chunk_bytes, character_s=0.01)
    async with opened(**at(tokens_server)) as speaker:
        heard = await listen(speaker.say("Hello there"))
    assert heard.duration_s == pytest.approx(len("Hello there") * 0.01, abs=0.002)


async def test_answers_without_end_and_without_sound_are_given_up(eleven: ElevenLabs, opened: Any, listen: Any) -> None:
    eleven.always(audio="", characters=1, pace_s=0.02)
    said = await refusal(eleven, opened, listen, text="word " * 100, first_audio_timeout_s=0.4)
    assert "gave no sound within 0.4 s" in said


async def test_a_server_that_sends_without_being_read_is_let_wait(tokens_server: SpeechTokens, opened: Any) -> None:
    text = "A sentence of many words that goes on and on and on. " * 20
    async with opened(**at(tokens_server)) as speaker:
        chunks = speaker.say(text)
        await anext(chunks)
        await asyncio.sleep(0.5)
        turn = speaker.engine._link.turn
        assert turn is not None
        assert turn.qsize() <= 256
        await chunks.aclose()


# Questions ----------------------------------------------------------------------------------------------------------------


async def test_a_list_of_voices_without_end_is_not_read(
    server: SpeechHttp, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MOST_ANSWER", 20)
    with pytest.raises(SpeechError, match="answered a question with more than"):
        async with opened(**at(server)):
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # aiohttp lets go of such a socket late
async def test_a_header_line_that_is_too_long_is_told(server: SpeechHttp, opened: Any, listen: Any) -> None:
    server.always(headers={"X-Long": "x" * 100_000})
    assert "broke the connection" in await refusal(server, opened, listen)
