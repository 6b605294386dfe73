from __future__ import annotations

import numpy as np
import pytest

from core.audio.frames import OPUS_SILENCE
from core.audio.opus import (
    LOOKAHEAD_SAMPLES,
    Decoder,
    Encoder,
    find_libopus,
    has_fec,
    inspect_packet,
    packet_samples,
)
from core.errors import AudioError


def tone(seconds: float, hz: float = 440.0, level: float = 0.5) -> np.ndarray:
    t = np.arange(round(seconds * 48000)) / 48000
    mono = (np.sin(2 * np.pi * hz * t) * level * 32767).astype(np.int16)
    return np.stack([mono, mono], axis=1)


def packets(samples: np.ndarray, encoder: Encoder) -> list[bytes]:
    return [encoder.encode(samples[i : i + 960]) for i in range(0, len(samples) - 959, 960)]


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean((samples.astype(float) / 32768) ** 2)))


def test_the_library_is_found_in_the_wheel() -> None:
    assert find_libopus().exists()


def test_a_tone_comes_back_at_its_level_and_in_its_place() -> None:
    encoder, decoder = Encoder(bitrate_bps=128_000), Decoder()
    silence, sound = np.zeros((9600, 2), np.int16), tone(1.0)
    heard = np.concatenate([decoder.decode(p) for p in packets(np.concatenate([silence, sound]), encoder)])
    assert encoder.lookahead_samples == LOOKAHEAD_SAMPLES
    heard = heard[LOOKAHEAD_SAMPLES:]
    assert rms(heard[:9000]) < 0.001
    assert rms(heard[12000:50000]) == pytest.approx(rms(sound), rel=0.02)
    lag = np.argmax(np.correlate(heard[12000:22000, 0].astype(float), sound[2400:12000, 0].astype(float)))
    assert lag % round(48000 / 440) in (0, 1, 108)


def test_a_recogniser_gets_its_own_rate_from_the_decoder() -> None:
    encoder, decoder = Encoder(), Decoder(channels=1, rate_hz=16_000)
    sent = packets(tone(1.0, 440.0), encoder)
    heard = np.concatenate([decoder.decode(p) for p in sent])
    assert heard.shape == (16_000, 1)
    loudest = np.abs(np.fft.rfft(heard[4000:12_000, 0].astype(float))).argmax()
    assert loudest * 2 == pytest.approx(440, abs=4)
    assert len(decoder.conceal()) == len(decoder.recover(sent[0])) == 320
    with pytest.raises(AudioError):
        Decoder(rate_hz=44_100)


def test_the_bit_rate_is_obeyed() -> None:
    noise = np.random.default_rng(1).integers(-8000, 8000, (48000, 2)).astype(np.int16)
    encoder = Encoder(bitrate_bps=128_000)
    rich = sum(map(len, packets(noise, encoder)))
    encoder.set_bitrate(24_000)
    poor = sum(map(len, packets(noise, encoder)))
    assert rich == pytest.approx(16_000, rel=0.15)
    assert poor == pytest.approx(3_000, rel=0.25)


def test_a_lost_packet_is_guessed_from_what_came_before() -> None:
    decoder = Decoder()
    sent = packets(tone(0.5), Encoder())
    for packet in sent[:10]:
        decoder.decode(packet)
    assert rms(decoder.conceal(960)) > 0.2
    assert decoder.conceal(480).shape == (480, 2)


def test_a_lost_packet_is_recovered_from_the_copy_in_the_next() -> None:
    rng = np.random.default_rng(2)
    t = np.arange(48000) / 48000
    voice = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 12)) * (0.5 + 0.5 * np.sin(2 * np.pi * 9 * t))
    pcm = (voice / np.abs(voice).max() * 12000 + rng.normal(0, 30, len(t))).astype(np.int16)
    encoder = Encoder(bitrate_bps=20_000, fec=True, expected_loss=0.3, application="voip", channels=1)
    sent = [encoder.encode(pcm[i : i + 960]) for i in range(0, 48000, 960)]
    assert any(has_fec(p) for p in sent)
    assert not any(has_fec(p) for p in packets(tone(0.2), Encoder(fec=False)))
    lost = next(i for i in range(20, 49) if has_fec(sent[i + 1]))
    whole, guessed, recovered = Decoder(channels=1), Decoder(channels=1), Decoder(channels=1)
    for packet in sent[:lost]:
        for decoder in (whole, guessed, recovered):
            decoder.decode(packet)
    truth = whole.decode(sent[lost]).astype(float)
    error_guessed = np.abs(guessed.conceal() - truth).mean()
    error_recovered = np.abs(recovered.recover(sent[lost + 1]) - truth).mean()
    assert error_recovered < error_guessed


@pytest.mark.parametrize("samples", [120, 240, 480, 960, 1920, 2880])
def test_every_duration_is_known_and_decoded(samples: int) -> None:
    packet = Encoder().encode(np.zeros((samples, 2), np.int16))
    assert packet_samples(packet) == samples
    assert Decoder().decode(packet).shape == (samples, 2)


def test_packets_tell_what_they_are() -> None:
    info = inspect_packet(OPUS_SILENCE)
    assert info is not None
    assert (info.mode, info.channels, info.samples) == ("celt", 1, 960)
    assert inspect_packet(b"") is None
    assert inspect_packet(b"\xfb") is None
    assert inspect_packet(b"\xfb\x3f") is None
    speech = Encoder(bitrate_bps=16_000, application="voip").encode(tone(0.02))
    info = inspect_packet(speech)
    assert info is not None
    assert info.channels in (1, 2)
    assert info.mode in ("silk", "hybrid", "celt")


def test_bytes_and_floats_are_taken_like_arrays() -> None:
    sound = tone(0.02)
    assert Encoder().encode(sound.tobytes()) == Encoder().encode(sound)
    floats = Encoder().encode_float(sound.astype(np.float32) / 32768)
    assert packet_samples(floats) == 960


def test_what_is_no_opus_is_refused() -> None:
    with pytest.raises(AudioError, match="Opus refuses"):
        Decoder().decode(b"\xfb\x3f")
    with pytest.raises(AudioError):
        Encoder().encode(np.zeros((7, 2), np.int16))
