from __future__ import annotations

import io
import wave

import aiohttp
import numpy as np
import pytest

from loopback.services.piper_http import VOICE, PiperHttp
from loopback.services.tone import recognise

TEXT = "A whole file at once."


@pytest.mark.parametrize("path", ["/synthesize", "/"])
async def test_a_text_becomes_a_whole_wav_at_the_voices_own_rate(path: str) -> None:
    async with PiperHttp() as piper, aiohttp.ClientSession() as session:
        async with session.post(piper.url + path, json={"text": TEXT, "length_scale": 1.0}) as response:
            assert response.content_type == "audio/wav"
            with wave.open(io.BytesIO(await response.read())) as file:
                assert file.getframerate() == 22050
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert recognise(samples, 22050, TEXT.split()) == TEXT.split()
        assert piper.spoken[0].text == TEXT


async def test_length_scale_stretches_and_voices_are_listed() -> None:
    async with PiperHttp() as piper, aiohttp.ClientSession() as session:
        sizes = []
        for scale in (1.0, 2.0):
            async with session.post(f"{piper.url}/synthesize", json={"text": TEXT, "length_scale": scale}) as response:
                sizes.append(len(await response.read()) - 44)
        assert sizes[1] == pytest.approx(2 * sizes[0], abs=4)
        async with session.get(f"{piper.url}/voices") as response:
            assert VOICE in await response.json()


@pytest.mark.parametrize(("body", "status"), [({"text": " "}, 500), ({"text": "a", "voice": "x"}, 500), ({}, 400)])
async def test_what_it_cannot_speak_is_an_error(body: dict[str, str], status: int) -> None:
    async with (
        PiperHttp() as piper,
        aiohttp.ClientSession() as session,
        session.post(f"{piper.url}/synthesize", json=body) as response,
    ):
        assert response.status == status
