"""How fast journals become finished files, and in how much memory, whatever their length."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from core.audio.frames import FRAME_S, FRAME_SAMPLES, OPUS_SILENCE, RATE_HZ, OpusFrame
from core.audio.opus import Encoder
from core.audio.packet_timeline import Placed, Timeline
from core.recording.journal import JournalWriter
from core.recording.mix import MixSource, MixState, mix_tracks
from core.recording.track import TrackJob, TrackState, render_track

SPEED_GOAL, MEMORY_GOAL_MB = 250.0, 150.0
STEP = 600 * RATE_HZ
PEOPLE = 2


def voice(seconds: float, seed: int) -> list[bytes]:
    """Opus of something like speech: a gliding, breathing tone with noise, at Discord's usual 64 kbit/s."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * t) + 60 * seed
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    tone = sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * t))
    mono = (tone * 5000 + rng.normal(0, 150, len(t))).astype(np.int16)
    samples = np.repeat(mono[:, None], 2, axis=1)
    encoder = Encoder(bitrate_bps=64_000)
    return [
        encoder.encode(samples[i : i + FRAME_SAMPLES])
        for i in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    ]


def write_journal(path: Path, hours: float, seed: int) -> None:
    """A journal of somebody who speaks without a pause: the dearest case, every second is decoded."""
    rng = np.random.default_rng(seed)
    payloads = voice(60, seed)
    count = round(hours * 3600 / FRAME_S)
    journal = JournalWriter(path, seed, {})
    lost, position = 0, 0
    keep = rng.random(count) >= 0.01
    for index in range(count):
        if not keep[index]:
            lost += 1
            continue
        position = index * FRAME_SAMPLES
        journal.add(Placed(position, FRAME_SAMPLES, payloads[index % len(payloads)], lost, index == 0))
        lost = 0
        if index % 3000 == 0:
            journal.flush(sync=False)
    journal.close()


def peak_mb() -> float:
    """The largest resident size of this process so far; 0 where it cannot be known."""
    if sys.platform == "linux":  # getrusage would give the parent's peak, which a spawned process inherits
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1e3
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return 0.0


def render(folder: str, hours: float, connection: object) -> None:
    """In a process of its own: every track, then the mix; sends what it took."""
    root = Path(folder)
    length = round(hours * 3600 * RATE_HZ)
    begin, cpu = time.perf_counter(), time.process_time()
    sources: list[MixSource] = []
    for number in range(PEOPLE):
        job = TrackJob(str(root / f"{number}.ogg"), str(root / f"{number}.wav"))
        state, sounds = TrackState(), list[tuple[int, int]]()
        for until in [*range(STEP, length, STEP), None]:
            result = render_track(job, state, until)
            state = result.state
            sounds += result.sounds
        sources.append(MixSource(job.wav, tuple(sounds)))
    tracks_s, tracks_cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    state = MixState()
    for until in [*range(STEP, length, STEP), length]:
        state = mix_tracks(sources, str(root / "session.wav"), state, until)
    total_s, total_cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    connection.send((tracks_s, tracks_cpu_s, total_s, total_cpu_s, peak_mb()))  # type: ignore[attr-defined]


def measure(hours: float, folder: Path) -> dict[str, float]:
    """Render `hours` of PEOPLE people in a fresh process."""
    for number in range(PEOPLE):
        write_journal(folder / f"{number}.ogg", hours, number)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=render, args=(str(folder), hours, theirs))
    process.start()
    tracks_s, tracks_cpu_s, total_s, total_cpu_s, memory_mb = ours.recv()
    process.join()
    audio_s = hours * 3600 * PEOPLE
    return {
        "hours": hours,
        "people": PEOPLE,
        "audio_s": audio_s,
        "tracks_x_realtime": round(audio_s / tracks_s, 1),
        "tracks_x_realtime_cpu": round(audio_s / tracks_cpu_s, 1),
        "with_mix_x_realtime": round(audio_s / total_s, 1),
        "with_mix_x_realtime_cpu": round(audio_s / total_cpu_s, 1),
        "peak_mb": round(memory_mb, 1),
    }


def measure_journal() -> float:
    """CPU us a packet of timeline and journal together, as the recorder's thread spends it."""
    payloads = voice(20, 1)
    frames = [
        OpusFrame(
            1, 1, i * FRAME_SAMPLES, i & 0xFFFF, i * FRAME_S, OPUS_SILENCE if i % 500 > 494 else payloads[i % 1000]
        )
        for i in range(50_000)
    ]
    folder = Path(tempfile.mkdtemp(prefix="parley-bench-"))
    try:
        timeline, journal = Timeline(0.0), JournalWriter(folder / "1.ogg", 1, {})
        begin = time.thread_time()
        for index, frame in enumerate(frames):
            timeline.push(frame)
            if index % 12 == 11:
                for placed in timeline.drain(frame.arrival_s):
                    journal.add(placed)
                journal.flush(sync=False)
        spent = time.thread_time() - begin
        journal.close()
    finally:
        shutil.rmtree(folder)
    return spent / len(frames) * 1e6


def main(argv: list[str]) -> int:
    """Run it and print JSON lines."""
    parser = argparse.ArgumentParser(prog="bench render", description=__doc__)
    parser.add_argument("--full", action="store_true", help="one hour and six hours; otherwise a sixth of that")
    parser.add_argument("--folder", type=Path, default=None, help="where the files go; WAVs need 0.7 GB an hour each")
    args = parser.parse_args(argv)
    lengths = (1.0, 6.0) if args.full else (1 / 6, 1.0)
    found: list[dict[str, float]] = []
    for hours in lengths:
        folder = Path(tempfile.mkdtemp(prefix="parley-bench-", dir=args.folder))
        try:
            found.append(measure(hours, folder))
        finally:
            shutil.rmtree(folder)
        print(json.dumps({"bench": "render", "what": f"{hours:.2g} h", **found[-1]}))
    speed = min(each["tracks_x_realtime_cpu"] for each in found)
    memory = max(each["peak_mb"] for each in found)
    growth = found[1]["peak_mb"] - found[0]["peak_mb"]
    met = speed >= SPEED_GOAL and memory < MEMORY_GOAL_MB and growth < 10
    print(json.dumps({"bench": "render", "what": "journal", "cpu_us_a_packet": round(measure_journal(), 2)}))
    print(
        json.dumps(
            {
                "bench": "render",
                "what": f"{lengths[0]:.2g} h and {lengths[1]:.2g} h",
                "x_realtime_a_core": speed,
                "peak_mb": memory,
                "growth_mb": round(growth, 1),
                "cores": os.cpu_count(),
                "goal": f">= {SPEED_GOAL:g}x, < {MEMORY_GOAL_MB:g} MB, growth < 10 MB",
                "met": met,
            }
        )
    )
    return 0 if met else 1
