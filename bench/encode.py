"""How fast finished files become another format: times real time a core, in constant memory."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.render import peak_mb, voice
from core.audio.encode import Quality, encode_file
from core.audio.opus import MAX_PACKET_SAMPLES, Decoder
from core.audio.wav import WavWriter

if TYPE_CHECKING:
    from core.config.recording import TrackFormat

SPEED_GOAL, GROWTH_GOAL_MB = 150.0, 30.0
KINDS: tuple[tuple[TrackFormat, int], ...] = (("mp3", 2), ("mp3", 1), ("ogg", 2), ("ogg", 1), ("flac", 2), ("wav", 1))


def write_voice(path: Path, minutes: int) -> None:
    """A rendered track of somebody who speaks without a pause: the dearest case."""
    minute = voice(60, 1)
    decoder, buffer = Decoder(), np.zeros((MAX_PACKET_SAMPLES, 2), np.int16)
    with WavWriter(path) as wav:
        for _ in range(minutes):
            for payload in minute:
                wav.write(buffer[: decoder.decode_into(payload, buffer)])


def measure(source: Path, minutes: int, kind: TrackFormat, channels: int) -> bool:
    """Encode once and print what it took; whether it met the goal."""
    before_mb, begin, cpu = peak_mb(), time.perf_counter(), time.process_time()
    size = encode_file(str(source), str(source.with_name(f"out.{kind}")), Quality(kind, 48_000, channels, 128))
    wall_s, cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    speed, growth_mb = minutes * 60 / cpu_s, peak_mb() - before_mb
    met = speed >= SPEED_GOAL and growth_mb < GROWTH_GOAL_MB
    print(
        json.dumps(
            {
                "bench": "encode",
                "what": f"{kind}, {'mono' if channels == 1 else 'stereo'}",
                "x_realtime_a_core": round(speed, 1),
                "x_realtime_wall": round(minutes * 60 / wall_s, 1),
                "kbps": round(size * 8 / minutes / 60_000, 1),
                "growth_mb": round(growth_mb, 1),
                "goal": f">= {SPEED_GOAL:g}x, growth < {GROWTH_GOAL_MB:g} MB",
                "met": met,
            }
        ),
        flush=True,
    )
    return met


def main(argv: list[str]) -> int:
    """Run it and print JSON lines."""
    parser = argparse.ArgumentParser(prog="bench encode", description=__doc__)
    parser.add_argument("--minutes", type=int, default=10, help="of speech to encode")
    args = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="parley-bench-"))
    try:
        source = folder / "voice.wav"
        write_voice(source, args.minutes)
        met = [measure(source, args.minutes, kind, channels) for kind, channels in KINDS]
    finally:
        shutil.rmtree(folder)
    return 0 if all(met) else 1
