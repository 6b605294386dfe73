"""What music costs and how soon it is heard: CPU and memory of one track, first sound, gap, seek, underruns in a crowd.

CPU is that of everything between the file and the packet, encoder and loudness included, in a process that does nothing
else. The rest is measured at somebody's ears, with the bot in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from bench.render import peak_mb
from core.audio.decode import blocks
from core.audio.opus import Encoder
from core.music.deck import Deck
from core.music.survey import survey
from core.music.track import FileSource, Track
from core.voice.playback.player import Player
from launch.story import stage

if TYPE_CHECKING:
    from launch.story import Stage
    from loopback.people.person import Person

RATE_HZ = 48_000
CPU_GOAL, LOCAL_GOAL_MS, URL_GOAL_MS, GAP_GOAL_MS, SEEK_GOAL_MS, MEMORY_GOAL_MB = 2.0, 150.0, 300.0, 1.0, 150.0, 20.0
LIMITS = {"max_bytes": 2**40, "max_s": 1e9}
PEOPLE = 8
FLOOR = 1000


def main(argv: list[str]) -> int:
    """Measure and print a line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m bench music", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="in the crowd")
    parser.add_argument("--times", type=int, default=10, help="first sounds and seeks")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(argv)
    minutes, times, cpu_s = (0.5, 3, 10.0) if options.quick else (options.minutes, options.times, 60.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_files(folder / "data" / "sounds")
        met = asyncio.run(_cost(folder / "data" / "sounds", cpu_s))
        met &= asyncio.run(_at_the_ear(folder, minutes, times))
    return 0 if met else 1


def _tell(what: str, goal: str, met: bool, **figures: Any) -> bool:
    print(json.dumps({"bench": "music", "what": what, **figures, "goal": goal, "met": bool(met)}), flush=True)
    return met


# Files ------------------------------------------------------------------------------------------------------------------


def _sound(duration_s: float, hz: float = 440.0) -> np.ndarray:
    at = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (9000 * np.sin(2 * np.pi * hz * at)).astype(np.int16)


def _encoded(samples: np.ndarray, container: str, codec: str, bit_rate: int = 128_000) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=RATE_HZ, layout="stereo")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples.repeat(2)[None, :], format="s16", layout="stereo")
        frame.sample_rate = RATE_HZ
        frame.pts = 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def _make_files(folder: Path) -> None:
    """A song of three minutes and one of ten hours; two halves of one wave; one whose places sound differently."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(1).normal(0, 4000, 180 * RATE_HZ).clip(-32000, 32000).astype(np.int16)
    (folder / "song.mp3").write_bytes(_encoded(noise, "mp3", "libmp3lame"))
    minute = _encoded(_sound(60), "mp3", "libmp3lame", 64_000)
    with (folder / "long.mp3").open("wb") as file:
        for _ in range(600):
            file.write(minute)
    wave = _sound(4.0, 500)
    cut = round(2.513 * RATE_HZ)
    (folder / "first.mp3").write_bytes(_encoded(wave[:cut], "mp3", "libmp3lame"))
    (folder / "second.mp3").write_bytes(_encoded(wave[cut:], "mp3", "libmp3lame"))
    places = np.concatenate([_sound(30, 400), _sound(30, 1600)])
    (folder / "places.mp3").write_bytes(_encoded(places, "mp3", "libmp3lame"))


# A process that does nothing else -----------------------------------------------------------------------------------------


class _Wire:
    """Takes every frame."""

    def connected(self) -> bool:
        return True

    def send_frame(self, opus: bytes) -> bool:
        del opus
        return True

    def announce(self, speaking: bool) -> None:
        del speaking


async def _played(path: Path, duration_s: float, start_s: float = 0.0, *, speech: bool) -> tuple[float, int]:
    """Seconds of CPU that playing so long took, and underruns; speech ducks the music half of the time."""
    player = Player(_Wire(), Encoder)

    async def failed(track: Track, error: Exception) -> None:
        raise RuntimeError(f"{track.title}: {error}")

    deck = Deck(player, failed)
    await deck.add(Track(path.name, 0, FileSource(path, **LIMITS), start_s=start_s))
    await asyncio.sleep(2.0)
    began_s = time.process_time()
    for second in range(round(duration_s)):
        player.duck_media(on=speech and second % 4 < 2)
        await asyncio.sleep(1.0)
    cost_s = time.process_time() - began_s
    underruns = player.stats.underruns
    await deck.close()
    player.close()
    return cost_s, underruns


async def _bare(path: Path, duration_s: float) -> float:
    """Seconds of CPU that the player and its encoder take for the same sound when it is there already."""
    player = Player(_Wire(), Encoder)
    line = player.line("bare", bus="media")
    for number, block in enumerate(blocks(path, **LIMITS)):
        if number > 2 * (duration_s + 4):
            break
        line.write(block)
    await asyncio.sleep(2.0)
    began_s = time.process_time()
    await asyncio.sleep(duration_s)
    cost_s = time.process_time() - began_s
    player.close()
    return cost_s


async def _cost(folder: Path, cpu_s: float) -> bool:
    song, long = folder / "song.mp3", folder / "long.mp3"
    cost_s, underruns = await _played(song, cpu_s, speech=True)
    began_s = time.process_time()
    survey(song, **LIMITS)
    look_s = time.process_time() - began_s
    percent = (cost_s / cpu_s + look_s / 180) * 100
    bare_s = await _bare(song, min(cpu_s, 20.0))
    met = _tell(
        "CPU of a playing track",
        f"<= {CPU_GOAL:g} % of a core",
        percent <= CPU_GOAL,
        percent=round(percent, 2),
        of_it_player_and_opus_percent=round(bare_s / min(cpu_s, 20.0) * 100, 2),
        of_it_loudness_percent=round(look_s / 180 * 100, 2),
        underruns=underruns,
    )
    before_mb = peak_mb()
    for start_s in (0.0, 18_000.0, 32_000.0):
        await _played(long, 4.0, start_s, speech=False)
    growth_mb = peak_mb() - before_mb
    return met & _tell(
        "memory, ten hours after three minutes",
        f"growth <= {MEMORY_GOAL_MB:g} MB",
        growth_mb <= MEMORY_GOAL_MB,
        growth_mb=round(growth_mb, 1),
        file_mb=round(long.stat().st_size / 1e6),
    )


# At somebody's ears ---------------------------------------------------------------------------------------------------------


async def _at_the_ear(folder: Path, minutes: float, times: int) -> bool:
    sounds = folder / "data" / "sounds"
    settings = {
        "voice": {"sounds": str(sounds)},
        "music": {"card": False},
        "fetch": {"allow": ["127.0.0.1"]},
        "hearing": {"engine": "off"},
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(sounds)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        async with (
            stage(folder, settings) as scene,
            await scene.discord.person("Ada", scene.standard.guild) as ada,
        ):
            await ada.join(scene.standard.voice)
            await _run(scene, ada, "voice join")
            await ada.until_encrypted()
            address = f"http://127.0.0.1:{server.server_address[1]}/places.mp3"
            for number in range(times + 1):  # none of them was ever looked through
                (sounds / f"new{number}.mp3").write_bytes((sounds / "places.mp3").read_bytes())
            local = [await _first_sound(scene, ada, f"new{number}.mp3") for number in range(times + 1)][1:]
            known = [await _first_sound(scene, ada, "new1.mp3") for _ in range(times)]
            remote = [await _first_sound(scene, ada, address) for _ in range(times + 1)][1:]
            met = _soon("first sound, local file", local, LOCAL_GOAL_MS)
            met &= _soon("first sound, local file that was played before", known, LOCAL_GOAL_MS)
            met &= _soon("first sound, address", remote, URL_GOAL_MS)
            met &= _soon("seek", await _seeks(scene, ada, times), SEEK_GOAL_MS)
            gap_ms, length_s = await _gap(scene, ada)
            met &= _tell(
                "gap between two tracks",
                f"<= {GAP_GOAL_MS:g} ms",
                gap_ms <= GAP_GOAL_MS and abs(length_s - 4.0) <= 0.003,
                gap_ms=round(gap_ms, 2),
                both_s=round(length_s, 4),
            )
            return met & await _crowd(scene, ada, minutes)
    finally:
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        del format, args


async def _run(scene: Stage, person: Person, command: str, **options: Any) -> str:
    return (await (await person.slash(scene.standard.text, command, **options)).answered(60)).content


def _soon(what: str, found_ms: list[float], goal_ms: float) -> bool:
    p50, worst = float(np.median(found_ms)), max(found_ms)
    return _tell(what, f"p50 <= {goal_ms:g} ms", p50 <= goal_ms, p50_ms=round(p50), max_ms=round(worst))


async def _first_sound(scene: Stage, ada: Person, what: str) -> float:
    """From the command to the first packet with sound in it, in ms."""
    ada.ears.forget()
    listening = asyncio.create_task(ada.ears.wait_for_voice(scene.bot_id, 60))
    await asyncio.sleep(0)
    began_s = time.monotonic()
    await _run(scene, ada, "music play", what=what)
    heard_ms = ((await listening).arrival_s - began_s) * 1000
    await _run(scene, ada, "music stop")
    await asyncio.sleep(0.5)
    return heard_ms


async def _seeks(scene: Stage, ada: Person, times: int) -> list[float]:
    """From the command to the first packet of the other place, in ms."""
    await _run(scene, ada, "music play", what="places.mp3")
    found: list[float] = []
    for number in range(times):
        to, hz = ("45", 1600) if number % 2 == 0 else ("10", 400)
        await asyncio.sleep(1.5)
        began_s = time.monotonic()
        await _run(scene, ada, "music seek", to=to)
        await asyncio.sleep(1.0)
        frames = [frame for frame in ada.ears.heard(scene.bot_id) if frame.voiced and frame.arrival_s > began_s]
        first = next(frame for frame in frames if abs(_hz(frame.pcm) - hz) < 150)
        found.append((first.arrival_s - began_s) * 1000)
    await _run(scene, ada, "music stop")
    return found


def _hz(pcm: bytes) -> float:
    samples = np.frombuffer(pcm, np.int16)[::2].astype(np.float64)
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4800))) * RATE_HZ / 4800)


async def _gap(scene: Stage, ada: Person) -> tuple[float, float]:
    """The longest silence inside of two halves of a wave, in ms, and how long both are together, in s."""
    await asyncio.sleep(0.5)
    ada.ears.forget()
    await _run(scene, ada, "music play", what="first.mp3")
    await _run(scene, ada, "music play", what="second.mp3")
    await asyncio.sleep(5.5)
    samples = np.abs(ada.ears.pcm(scene.bot_id)[:, 0].astype(np.int32))
    loud = np.flatnonzero(samples > FLOOR)
    return float(np.diff(loud).max() - 1) / RATE_HZ * 1000, float(loud[-1] - loud[0]) / RATE_HZ


async def _crowd(scene: Stage, ada: Person, minutes: float) -> bool:
    """Music beside eight people who speak, and a text that is said every now and then: what the bot itself counted."""
    async with AsyncExitStack() as stack:
        others: list[Person] = []
        for number in range(PEOPLE - 1):
            person = await scene.discord.person(f"Person{number}", scene.standard.guild)
            others.append(await stack.enter_async_context(person))
            await person.join(scene.standard.voice)
        underruns = await _count_underruns(scene, ada, others, minutes)
    return _tell(
        f"underruns beside {PEOPLE} people and speech", "0", underruns == 0, underruns=underruns, minutes=minutes
    )


async def _count_underruns(scene: Stage, ada: Person, others: list[Person], minutes: float) -> int:
    await _run(scene, ada, "music play", what="song.mp3")
    await _run(scene, ada, "music loop", mode="track")
    sound = _sound(5.0, 250).repeat(2).reshape(-1, 2) // 4
    until_s = time.monotonic() + minutes * 60
    while time.monotonic() < until_s:
        await _run(scene, ada, "voice say", text="This is said while music plays and everybody talks.")
        await asyncio.gather(*(person.play(sound) for person in (ada, *others)))
    status = await (await ada.slash(scene.standard.text, "voice status")).answered(60)
    told = next(field["value"] for field in status.embeds[0]["fields"] if field["name"] == "Sound")
    underruns = int(told.split(" underruns")[0].rsplit(" ", 1)[-1])
    await _run(scene, ada, "music stop")
    return underruns
