"""How many rooms one process records at once: packets lost, CPU a packet with the socket, memory a room, until it breaks.

Each room is a voice connection of its own, with its socket, its listener's membership of a DAVE group, and a recorder
that writes a journal a person. Everybody speaks all the time. Whoever sends is another process, which seals each packet
once and sends it to every room, the rooms one after the other within 20 ms; so what is measured is the bot's process
alone: all of its threads, system calls and wakings.

`python -m bench crowd` measures 20 rooms of 5 people. `--until-it-breaks` goes on with more rooms until packets are lost
or reading falls behind; `docs/scale.md` says where and why.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench._crowd import crowd
from bench._offline import hang_up, offline_client
from bench._pacer import RECORD
from core.clock import SystemClock
from core.recording.metadata import ConsentNote as ConsentPart
from core.recording.metadata import Metadata, Named, read_metadata
from core.recording.recorder import Recorder
from core.recording.rights import RecordingConsent
from core.recording.source import RecordingSource
from core.voice.connection.client import ParleyVoiceClient

ROOMS, PEOPLE, SECONDS = 20, 5, 10.0
GOAL_US = 20.0
AES = "aead_aes256_gcm_rtpsize"
FIRST_LISTENER = 10_000
SETTLE_S = 1.0
MIB = 2**20
STEPS = (20, 40, 60, 80, 100, 120, 140, 170, 200, 250, 300)
TOO_LATE_S = 1.0  # what has come and was not read at the end: it grows from here on


@dataclass(frozen=True, slots=True)
class Room:
    """One recording under way."""

    client: ParleyVoiceClient
    recorder: Recorder
    folder: Path

    @property
    def port(self) -> int:
        """Of its socket."""
        return int(self.client.connection.socket.getsockname()[1])


def open_room(number: int, session: Any, people: dict[int, int], port: int, folder: Path) -> Room:
    """Connect to the sender at `port` and begin to record."""
    folder.mkdir()
    client = offline_client(ParleyVoiceClient, asyncio.get_running_loop(), port, AES)
    client.connection.dave_session, client.connection.dave_protocol_version = session, 1
    for ssrc, user_id in people.items():
        client._add_ssrc(user_id, ssrc)  # pyright: ignore[reportPrivateUsage] - as the voice gateway's hook does
    named = Named(id=str(number + 1), name=f"room {number}")
    consent = ConsentPart(mode="announce")
    metadata = Metadata(id=f"room{number}", guild=named, channel=named, started_at=datetime.now(UTC), consent=consent)
    recorder = Recorder(
        folder, metadata, RecordingSource(named, named), consent=RecordingConsent("announce"), clock=SystemClock()
    )
    recorder.start()
    client.receiver.subscribe(recorder.write, owner="bench")
    client.connection.reader.resume()
    return Room(client, recorder, folder)


async def child(rooms: int, people: int, seconds: float, *, profile: bool = False) -> dict[str, Any]:
    """Measure, in this process."""
    voices = crowd(people, seconds, mode=AES, dave=True, loss=0.0, listeners=[FIRST_LISTENER + n for n in range(rooms)])
    pacer = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-m", "bench._pacer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert pacer.stdin is not None  # noqa: S101 - given as PIPE above
    assert pacer.stdout is not None  # noqa: S101 - given as PIPE above
    port = int(pacer.stdout.readline())
    process = psutil.Process()
    with tempfile.TemporaryDirectory(prefix="parley-crowd-") as name:
        before = process.memory_full_info().uss
        there = [
            open_room(number, session, voices.people, port, Path(name) / str(number))
            for number, session in enumerate(voices.sessions)
        ]
        gc.collect()
        gc.freeze()  # what the bench itself holds is nobody's cost
        pacer.stdin.write(rooms.to_bytes(4, "little") + b"".join(room.port.to_bytes(4, "little") for room in there))
        pacer.stdin.write(b"".join(RECORD.pack(at_s, len(data)) + data for at_s, data in voices.datagrams))
        cpu_s, began_s = time.process_time(), time.monotonic()
        await asyncio.to_thread(pacer.communicate)
        cpu_s, took_s = time.process_time() - cpu_s, time.monotonic() - began_s
        if profile:
            names = {thread.native_id: thread.name for thread in threading.enumerate()}
            for thread in sorted(process.threads(), key=lambda each: -(each.user_time + each.system_time))[:12]:
                name = names.get(thread.id, "")
                print(json.dumps({"thread": name, "user_s": thread.user_time, "system_s": thread.system_time}))
        sent = len(voices.datagrams) * rooms
        behind = sent - _delivered(there)
        await _drained(there)
        peak = process.memory_full_info().uss
        overflowed = _overflowed({room.port for room in there})
        delivered = _delivered(there)
        await asyncio.to_thread(_stop, there)
        recorded = sum(_recorded(room.folder) for room in there)
        for room in there:
            hang_up(room.client)
    return {
        "cpu_us_per_packet": round(cpu_s / sent * 1e6, 1),
        "cores": round(cpu_s / took_s, 2),
        "packets_per_s": round(sent / seconds),
        "memory_mb_per_room": round((peak - before) / rooms / MIB, 2),
        "sent": sent,
        "behind_s": round(behind / sent * seconds, 2),
        "lost": sent - recorded,
        "lost_at_the_socket": overflowed,
        "lost_in_receiving": sent - delivered - (overflowed or 0),
        "lost_in_recording": delivered - recorded,
    }


def _delivered(rooms: list[Room]) -> int:
    return sum(room.client.receiver.stats.delivered for room in rooms)


async def _drained(rooms: list[Room]) -> None:
    """Wait until what the sockets hold has been read: who is behind has lost nothing yet."""
    before = -1
    while (now := _delivered(rooms)) != before:
        before = now
        await asyncio.sleep(SETTLE_S)


def _stop(rooms: list[Room]) -> None:
    for room in rooms:
        room.recorder.stop("done")
    for room in rooms:
        room.recorder.done.result(60)


def _recorded(folder: Path) -> int:
    return sum(person.packets.received for person in read_metadata(folder).people)


def _overflowed(ports: set[int]) -> int | None:
    """What the system dropped because a socket's buffer was full; None where it does not say."""
    try:
        lines = Path("/proc/net/udp").read_text("ascii").splitlines()[1:]
    except OSError:
        return None
    fields = [line.split() for line in lines]
    return sum(int(field[-1]) for field in fields if int(field[1].rpartition(":")[2], 16) in ports)


def measure(rooms: int, people: int, seconds: float) -> dict[str, Any]:
    """Measure in a fresh process."""
    command = [sys.executable, "-m", "bench.crowd", "--child", "--rooms", str(rooms)]
    command += ["--people", str(people), "--seconds", str(seconds)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def main(argv: list[str]) -> int:
    """Run the benchmark; 0 if the goals were met."""
    parser = argparse.ArgumentParser(prog="bench crowd", description=__doc__)
    parser.add_argument("--rooms", type=int, default=ROOMS)
    parser.add_argument("--people", type=int, default=PEOPLE, help="who speak at once, in each room")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long everybody speaks")
    parser.add_argument("--until-it-breaks", action="store_true", help="go on with more rooms")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--profile", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        found = asyncio.run(child(options.rooms, options.people, options.seconds, profile=options.profile))
        print(json.dumps(found))
        return 0
    met = True
    steps = [options.rooms, *(rooms for rooms in STEPS if options.until_it_breaks and rooms > options.rooms)]
    for rooms in steps:
        found = measure(rooms, options.people, options.seconds)
        good = found["lost"] == 0 and found["cpu_us_per_packet"] <= GOAL_US
        line = {"bench": "crowd", "what": f"{rooms} rooms of {options.people}", **found}
        print(json.dumps({**line, "goal": f"0 lost, <= {GOAL_US:g} us a packet", "met": good}), flush=True)
        met = met and (good or rooms > options.rooms)  # where it breaks is found out, not demanded
        if found["lost"] or found["behind_s"] > TOO_LATE_S:
            break
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
