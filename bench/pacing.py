"""Gaps between sent packets, ours and discord.py's `AudioPlayer`, as a listener in another process sees them.

Three conditions: nothing else to do; two threads of pure Python in the same process; the event loop blocked for 500 ms out
of every second, by turns asleep and computing. Both players send the same sound with DAVE and transport encryption.
Also measured: how late an idle process wakes on this machine at the same time, which nobody here can help, and what the
lowered switch interval costs the two busy threads.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import math
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import discord
import numpy as np

from bench._offline import dave_group, hang_up, offline_client
from core.audio.opus import find_libopus
from core.voice.connection.client import ParleyVoiceClient
from core.voice.playback.pace import quick_switching

if TYPE_CHECKING:
    from collections.abc import Iterator

GOAL_P99_MS = 25.0
GOAL_BURST = 3
BURST_GAP_S = 0.005
CONDITIONS = ("idle", "two busy threads", "event loop blocked 500 ms")


class Ear:
    """The listening process."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "bench._ear"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._line())

    def take(self) -> tuple[list[float], float]:
        """Arrival times since the last call, and the machine's own noise (p99, ms)."""
        assert self._process.stdin is not None  # noqa: S101 - given as PIPE above
        self._process.stdin.write("take\n")
        self._process.stdin.flush()
        taken = json.loads(self._line())
        return taken["arrivals"], taken["noise_ms"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - given as PIPE above
        return self._process.stdout.readline()


def sound(duration_s: float) -> np.ndarray:
    """Something that costs an encoder as much as speech: a voice-like buzz with noise, mono float32 at 48 kHz."""
    at = np.arange(round(duration_s * 48_000)) / 48_000
    buzz = sum(np.sin(2 * np.pi * 130 * n * at) / n for n in range(1, 20))
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * at)
    noise = np.random.default_rng(1).normal(0, 0.05, len(at))
    return (0.1 * envelope * (buzz + noise)).astype(np.float32)


@contextmanager
def busy_threads(count: int) -> Iterator[list[int]]:
    """So many threads of pure Python; returns their counters."""
    stop, counts = threading.Event(), [0] * count

    def work(index: int) -> None:
        while not stop.is_set():
            for _ in range(1000):
                counts[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join()


async def trouble(condition: str, duration_s: float) -> None:
    """Let `condition` hold for so long."""
    if condition == CONDITIONS[0]:
        await asyncio.sleep(duration_s)
    elif condition == CONDITIONS[1]:
        with busy_threads(2):
            await asyncio.sleep(duration_s)
    else:
        over_s, asleep = time.monotonic() + duration_s, True
        while time.monotonic() < over_s:
            await asyncio.sleep(0.5)
            blocked_until_s = time.monotonic() + 0.5
            if asleep:
                time.sleep(0.5)  # noqa: ASYNC251 - blocking the loop is what is measured
            while time.monotonic() < blocked_until_s:
                math.sqrt(2)
            asleep = not asleep


async def ours(port: int, sessions: dict[int, Any], condition: str, samples: np.ndarray) -> None:
    """Play through our player."""
    client = offline_client(ParleyVoiceClient, asyncio.get_running_loop(), port, "aead_aes256_gcm_rtpsize")
    _encrypt(client, sessions)
    line = client.player.line("bench")
    line.write(samples)
    await trouble(condition, len(samples) / 48_000 - 1.0)
    line.stop()
    await line.finished()
    hang_up(client)


async def theirs(port: int, sessions: dict[int, Any], condition: str, samples: np.ndarray) -> None:
    """Play through discord.py's player."""
    client = offline_client(discord.VoiceClient, asyncio.get_running_loop(), port, "aead_xchacha20_poly1305_rtpsize")
    _encrypt(client, sessions)
    stereo = np.repeat((samples * 32767).astype("<i2")[:, None], 2, axis=1)
    client.play(discord.PCMAudio(io.BytesIO(stereo.tobytes())))
    await trouble(condition, len(samples) / 48_000 - 1.0)
    client.stop()
    await asyncio.sleep(0.2)
    hang_up(client)


def _encrypt(client: discord.VoiceClient, sessions: dict[int, Any]) -> None:
    client._connection.dave_session = sessions[1]
    client._connection.dave_protocol_version = 1


def figures(rounds: list[list[float]]) -> dict[str, float]:
    """What the listener saw. The five frames of silence that discord.py sends at once at the end are left out."""
    gaps = np.concatenate([np.diff(times[:-6]) for times in rounds])
    largest = burst = 1
    for gap in gaps:
        burst = burst + 1 if gap < BURST_GAP_S else 1
        largest = max(largest, burst)
    return {
        "packets": sum(map(len, rounds)),
        "p50_ms": round(float(np.percentile(gaps, 50)) * 1000, 2),
        "p99_ms": round(float(np.percentile(gaps, 99)) * 1000, 2),
        "max_ms": round(float(gaps.max()) * 1000, 2),
        "first_gap_ms": round(max(times[1] - times[0] for times in rounds) * 1000, 2),
        "largest_burst": largest,
    }


def switching_cost(duration_s: float) -> float:
    """By what share two busy threads get less done while the switch interval is lowered; median of five pairs."""
    shares = []
    for _ in range(5):
        done = []
        for lowered in (False, True):
            with busy_threads(2) as counts:
                if lowered:
                    with quick_switching():
                        time.sleep(duration_s)
                else:
                    time.sleep(duration_s)
                done.append(sum(counts))
        shares.append(1 - done[1] / done[0])
    return float(np.median(shares))


async def run(seconds: float, rounds: int) -> bool:
    """Measure everything and print it; true if every goal was met."""
    discord.opus.load_opus(str(find_libopus()))
    ear, sessions, samples, met = Ear(), dave_group([1, 2]), sound(seconds + 1), True
    for condition in CONDITIONS:
        heard: dict[str, list[list[float]]] = {"ours": [], "discord.py": []}
        noise: dict[str, list[float]] = {"ours": [], "discord.py": []}
        for _ in range(rounds):
            for name, play in (("ours", ours), ("discord.py", theirs)):
                await play(ear.port, sessions, condition, samples)
                arrivals, noise_ms = ear.take()
                heard[name].append(arrivals)
                noise[name].append(noise_ms)
        for name, times in heard.items():
            result: dict[str, object] = {"bench": "pacing", "what": name, "condition": condition, **figures(times)}
            result["machine_noise_p99_ms"] = max(noise[name])
            if name == "ours":
                good = result["p99_ms"] <= GOAL_P99_MS and result["largest_burst"] <= GOAL_BURST  # pyright: ignore[reportOperatorIssue] - numbers, see figures
                result |= {"goal": f"p99 <= {GOAL_P99_MS} ms, burst <= {GOAL_BURST}", "met": good}
                met = met and good
            print(json.dumps(result), flush=True)
    ear.close()
    return met


def main(argv: list[str]) -> int:
    """Run the benchmark; 0 if the goals were met."""
    parser = argparse.ArgumentParser(prog="bench pacing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=2, help="measurements a player and condition")
    options = parser.parse_args(argv)
    met = asyncio.run(run(options.seconds, options.rounds))
    cost = switching_cost(1.0)
    what = "share of work that two busy threads lose while the switch interval is lowered"
    print(json.dumps({"bench": "pacing", "what": what, "share": round(cost, 3)}), flush=True)
    return 0 if met else 1
