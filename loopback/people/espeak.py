"""Speech for people: `python -m loopback.people.espeak TEXT OUT.wav` writes a 48 kHz stereo WAV ("-": standard streams).

libespeak-ng keeps its state in globals and is licensed under the GPL, so it lives in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import io
import sys
import wave
from pathlib import Path

RATE_HZ = 48_000
_ROOT = Path(__file__).resolve().parents[2]
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH = 1, 3
_BY_CHARACTER = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class SpeechError(RuntimeError):
    """The synthesiser could not be started or refused the voice."""


async def synthesise(text: str, *, voice: str = "en", rate_wpm: int = 175, pitch: int = 50) -> bytes:
    """Speech as s16le stereo PCM at 48 kHz, made in a child process.

    Raises:
        SpeechError: the child failed; its last words are in the message.
    """
    arguments = [
        "-m",
        "loopback.people.espeak",
        "-",
        "-",
        "--voice",
        voice,
        "--rate",
        str(rate_wpm),
        "--pitch",
        str(pitch),
    ]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, cwd=_ROOT
    )
    output, errors = await child.communicate(text.encode())
    if child.returncode:
        raise SpeechError(errors.decode(errors="replace").strip()[-500:])
    with wave.open(io.BytesIO(output)) as speech:
        return speech.readframes(speech.getnframes())


def speak(text: str, *, voice: str, rate_wpm: int, pitch: int) -> tuple[bytes, int]:
    """Mono s16le PCM and its rate in Hz. Call it once in a process. Raises `SpeechError`."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT)
    if rate_hz <= 0:
        raise SpeechError("espeak-ng did not start")
    parts: list[bytes] = []

    def collect(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if samples and count > 0:
            parts.append(ctypes.string_at(samples, count * 2))
        return 0

    callback = _CALLBACK(collect)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise SpeechError(f"espeak-ng has no voice {voice!r}")
    library.espeak_SetParameter(_RATE, rate_wpm, 0)
    library.espeak_SetParameter(_PITCH, pitch, 0)
    encoded = text.encode() + b"\0"
    library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded)), 0, _BY_CHARACTER, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    return b"".join(parts), rate_hz


def to_stereo_48k(pcm: bytes, rate_hz: int) -> bytes:
    """Mono s16le at any rate to stereo s16le at 48 kHz."""
    import av
    import numpy as np

    if not pcm:
        return b""
    frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, np.int16).reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate_hz
    resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE_HZ)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return b"".join(part.to_ndarray().tobytes() for part in frames)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m loopback.people.espeak", description="Writes speech as a WAV.")
    parser.add_argument("text", help="what to say; - reads standard input")
    parser.add_argument("out", help="WAV file to write; - writes to standard output")
    parser.add_argument("--voice", default="en")
    parser.add_argument("--rate", type=int, default=175, help="words a minute")
    parser.add_argument("--pitch", type=int, default=50, help="0 to 99")
    options = parser.parse_args()
    text = sys.stdin.buffer.read().decode() if options.text == "-" else options.text
    try:
        pcm, rate_hz = speak(text, voice=options.voice, rate_wpm=options.rate, pitch=options.pitch)
    except SpeechError as error:
        sys.exit(str(error))
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(to_stereo_48k(pcm, rate_hz))
    if options.out == "-":
        sys.stdout.buffer.write(made.getvalue())
    else:
        Path(options.out).write_bytes(made.getvalue())


if __name__ == "__main__":
    main()
