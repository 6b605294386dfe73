"""25 people talk without a pause while the bot, in a process of its own, records every one of them and replies.

In two minutes they say as much as a call says in an hour (50 minutes of speech, 150,000 packets); `--seconds 3600` keeps
it up for an hour of 25 people at once. Everything passes the loopback's gateway, relay and end-to-end encryption.
People, listener, Discord and bot are four processes.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from launch.lag import REPORT_S, VARIABLE
from launch.story import stage
from loopback.world.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from launch.story import Stage
    from loopback.voice.endpoint import Endpoint

ROOT = Path(__file__).resolve().parents[1]
GROWTH_MB, LAG_MS, GAP_MS = 20.0, 20.0, 25.0
PROMPT_EVERY_S = 15.0
WARM_UP_SHARE, WARM_UP_S = 0.25, 120.0  # the first replies and renderings load what they need
RENDER_EVERY_S = 10
RENDERED_S = 1800.0  # an hour of 25 people is 25 hours of sound to render
SPURT_GAP_S = 0.5  # frames further apart belong to different replies
REPLY = (
    "This is a long answer to a short question, so that there is something to listen to while everybody talks. "
    "It goes on for a while, in plain sentences, as answers do. And then it comes to its end."
)


@dataclass(slots=True)
class Watched:
    """What was seen of the bot's process from outside, and of the relay."""

    begun_s: float  # time.monotonic, as is the next
    ended_s: float = 0.0
    memory_mb: list[tuple[float, float]] = field(default_factory=list)  # seconds since the beginning, USS
    cpu_s: float = 0.0


def main(argv: list[str]) -> int:
    """Run it and print JSON lines; 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--people", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=120.0, help="of everybody talking at once")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="parley-soak-") as folder:
        return asyncio.run(_run(Path(folder), options.people, options.seconds))


async def _run(folder: Path, people: int, seconds: float) -> int:
    os.environ[VARIABLE] = "1"
    settings = {
        "recording": {"folder": (folder / "recordings").as_posix(), "render_every_s": RENDER_EVERY_S},
        "prompt": {"gather_idle_s": 0},
    }
    async with stage(folder, settings, cogs="voice,prompt,recorder") as scene:
        scene.chat.always(text=REPLY)
        place = scene.standard
        hosts = scene.discord.world.add_role(place.guild, "hosts", Permission.MANAGE_CHANNELS)
        ada = await scene.discord.person("Ada", place.guild, roles=[hosts])
        async with _member(scene, "bench._listener", ["listener"], "--user", str(scene.bot_id)) as listener:
            await _line(listener)
            await ada.join(place.voice, deaf=True)
            for command in ("voice join", "voice record"):
                await (await ada.slash(place.text, command)).answered(20)
            names = [f"speaker{number}" for number in range(people)]
            async with _member(scene, "loopback.voice.load", names, "--seconds", str(seconds)) as choir:
                listeners = {scene.bot_id, _user(scene, "listener")}
                room = scene.discord.voice.room(place.voice.id)
                if room is not None:
                    room.listeners_only = listeners
                await _line(choir)
                relayed = _endpoints(scene, names)
                watched = await _watch(scene, ada, choir, seconds)
                sent = (await _line(choir))["sent"]
            await (await ada.slash(place.text, "voice record", action="stop")).answered(20)
            metadata = await _finished(folder)
            heard = await _end(listener)
        await scene.stop_bot()
    lines = [
        _packets(metadata, sent, relayed),
        _memory(watched, seconds),
        _lag(folder / "bot.log", watched, heard["lateness_ms"]),
        _pacing(heard),
    ]
    for line in lines:
        speech = {"people": people, "seconds": seconds, "speech_min": round(people * seconds / 60)}
        print(json.dumps({"bench": "soak", "what": line.pop("what"), **speech, **line}), flush=True)
    return 0 if all(line["met"] for line in lines) else 1


# The stage --------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _member(
    scene: Stage, module: str, names: Sequence[str], *options: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A process whose users, named by `names`, enter the voice channel."""
    discord, place = scene.discord, scene.standard
    users = [discord.world.add_user(name, bot=True) for name in names]
    for user in users:
        discord.world.add_member(place.guild, user, [])
    where = ["--gateway", discord.gateway, "--ca", str(discord.certificates.ca_file)]
    where += ["--guild", str(place.guild.id), "--channel", str(place.voice.id), *options]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *where, stdin=-1, stdout=-1, cwd=ROOT, limit=1 << 26
    )
    try:
        assert process.stdin is not None  # noqa: S101 - given as a pipe above
        process.stdin.write("".join(f"{user.token}\n" for user in users).encode())
        await process.stdin.drain()
        if module == "loopback.voice.load":
            process.stdin.close()  # it reads all of it before it begins
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101 - given as a pipe
    return json.loads(await process.stdout.readline())


async def _end(listener: asyncio.subprocess.Process) -> dict[str, Any]:
    assert listener.stdin is not None  # noqa: S101 - given as a pipe
    listener.stdin.close()
    return await _line(listener)


def _user(scene: Stage, name: str) -> int:
    return next(user.id for user in scene.discord.world.users.values() if user.name == name)


def _endpoints(scene: Stage, names: Sequence[str]) -> dict[int, Endpoint]:
    """The voice server's ends of the speakers' media: they count what arrived there, also when the speakers are gone."""
    guild_id = scene.standard.guild.id
    sessions = (scene.discord.voice.session(guild_id=guild_id, user_id=_user(scene, name)) for name in names)
    return {session.user_id: session.endpoint for session in sessions if session is not None}


async def _watch(scene: Stage, ada: Any, choir: asyncio.subprocess.Process, seconds: float) -> Watched:
    """Look at the bot's process every second while people talk, and let Ada ask."""
    bot = psutil.Process(scene.bot.pid)
    watched = Watched(time.monotonic())
    begun_cpu_s = sum(bot.cpu_times()[:2])
    asked_s = -PROMPT_EVERY_S
    while (now_s := time.monotonic() - watched.begun_s) < seconds:
        if choir.returncode is not None:
            raise RuntimeError(f"the speakers ended with exit code {choir.returncode}")
        watched.memory_mb.append((now_s, bot.memory_full_info().uss / 2**20))
        if now_s - asked_s >= PROMPT_EVERY_S:
            asked_s = now_s
            await ada.type(scene.standard.text, f"What is it after {now_s:.0f} seconds?")
        await asyncio.sleep(1.0)
    watched.cpu_s = sum(bot.cpu_times()[:2]) - begun_cpu_s
    watched.ended_s = time.monotonic()
    return watched


async def _finished(folder: Path) -> dict[str, Any]:
    (file,) = (folder / "recordings").glob("*/*/*/metadata.json")
    async with asyncio.timeout(RENDERED_S):
        while True:
            metadata = json.loads(await asyncio.to_thread(file.read_text, "utf-8"))
            if metadata["state"] == "finished":
                return metadata
            await asyncio.sleep(0.2)


# The figures ------------------------------------------------------------------------------------------------------------


def _packets(metadata: dict[str, Any], sent: dict[str, int], relayed: dict[int, Endpoint]) -> dict[str, Any]:
    people = {int(person["id"]): person["packets"] for person in metadata["people"] if not person["bot"]}
    recorded = sum(packets["received"] for packets in people.values())
    arrived = sum(endpoint.received for endpoint in relayed.values())
    undecryptable = sum(sum(packets["undecryptable"].values()) for packets in people.values())
    unplaced = sum(packets["late"] + packets["overlapping"] + packets["malformed"] for packets in people.values())
    lost = arrived - recorded + unplaced
    return {
        "what": "packets",
        "sent": sum(sent.values()),
        "reached_the_relay": arrived,
        "recorded": recorded,
        "undecryptable": undecryptable,
        "tracks": len(people),
        "lost_by_us": lost,
        "goal": "lost_by_us = 0",
        "met": lost == 0 and len(people) == len(sent),
    }


def _memory(watched: Watched, seconds: float) -> dict[str, Any]:
    warm_s = min(WARM_UP_S, seconds * WARM_UP_SHARE)
    warm = [memory for at_s, memory in watched.memory_mb if at_s >= warm_s]
    tenth = max(3, len(warm) // 10)
    first, last = statistics.median(warm[:tenth]), statistics.median(warm[-tenth:])
    return {
        "what": "memory of the bot",
        "after_warm_up_mb": round(first, 1),
        "at_the_end_mb": round(last, 1),
        "growth_mb": round(last - first, 1),
        "cpu_share_of_a_core": round(watched.cpu_s / (watched.ended_s - watched.begun_s), 3),
        "goal": f"growth_mb < {GROWTH_MB:.0f}",
        "met": last - first < GROWTH_MB,
    }


def _lag(log: Path, watched: Watched, noise_ms: list[float]) -> dict[str, Any]:
    lags: list[float] = []
    for line in log.read_text("utf-8", "replace").splitlines():
        if line.startswith('{"loop_lag_ms"'):
            report = json.loads(line)
            if watched.begun_s + REPORT_S <= report["until_s"] <= watched.ended_s:
                lags += report["loop_lag_ms"]
    result = {"what": "event-loop lag of the bot", "samples": len(lags), **_percentiles(lags)}
    result |= {"machine_noise_p99_ms": _percentiles(noise_ms)["p99_ms"], "goal": f"p99_ms < {LAG_MS:.0f}"}
    return result | {"met": result["p99_ms"] < LAG_MS}


def _pacing(heard: dict[str, Any]) -> dict[str, Any]:
    arrivals = heard["arrivals"]
    gaps = [(b - a) * 1000 for a, b in itertools.pairwise(arrivals)]
    within = [gap for gap in gaps if gap < SPURT_GAP_S * 1000]
    result = {"what": "pacing of replies as heard", "frames": len(arrivals), "replies": len(gaps) - len(within) + 1}
    result |= {**_percentiles(within), "unheard": heard["unheard"]}
    result |= {"machine_noise_p99_ms": _percentiles(heard["lateness_ms"])["p99_ms"], "goal": f"p99_ms <= {GAP_MS:.0f}"}
    return result | {"met": result["p99_ms"] <= GAP_MS}


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49], 2), "p99_ms": round(cuts[98], 2), "max_ms": round(max(values), 2)}
