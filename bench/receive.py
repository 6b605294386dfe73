"""CPU a received packet and packets lost, ours against discord-ext-voice-recv, with 25 people speaking at once.

Every receiver runs in a fresh process and hears the same sound at its true pace. Ours takes off transport encryption and
DAVE and writes journals; the other's Opus and PCM sinks do what they do without DAVE, which they cannot.

- `cpu_us_per_packet`: datagrams are handed to the receiver directly, those of 20 ms together, five times as fast as people
  speak, so that waking up from idleness does not hide what is measured; CPU of its whole process, all its threads included.
  The goals are about this.
- `lost_beyond` and `with_socket_us`: datagrams come through a UDP socket from a sender in another process; what the network
  did not lose and the receiver did not deliver, and CPU with all system calls and wakings.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bench._crowd import FRAME_S, Crowd, crowd
from bench._offline import offline_client
from bench._pacer import RECORD

if TYPE_CHECKING:
    from collections.abc import Callable

PEOPLE = 25
GOAL_US = 30.0
GOAL_SHARE_OF_PCM = 0.2
SPEED = 5  # of the direct measurement
SETTLE_S = 1.5  # for buffers that give packets late
QUIET_SHARE, QUIET_TRIES = 0.1, 10  # CPU that tells of work left to do; how often to wait for its end
AES, XCHACHA = "aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"
OURS, OURS_XCHACHA, OURS_BARE = "ours", "ours, xchacha20", "ours, no journal"
OPUS_SINK, PCM_SINK = "discord-ext-voice-recv, Opus sink", "discord-ext-voice-recv, PCM sink"
KINDS = (OURS, OURS_XCHACHA, OURS_BARE, OPUS_SINK, PCM_SINK)


@dataclass(frozen=True, slots=True)
class Ear:
    """A receiver that listens."""

    port: int  # of its socket
    feed: Callable[[bytes], None]  # hands it a datagram directly
    stop: Callable[[], int]  # ends it and gives how many different packets it delivered


async def listen_ours(voices: Crowd, port: int, mode: str, folder: Path | None) -> Ear:
    """Our receive path, with a recorder if there is a folder."""
    from core.clock import SystemClock
    from core.recording.journal import JournalReader
    from core.recording.metadata import ConsentNote as ConsentPart
    from core.recording.metadata import Metadata, Named
    from core.recording.recorder import Recorder
    from core.recording.rights import RecordingConsent
    from core.recording.source import RecordingSource
    from core.voice.connection.client import ParleyVoiceClient

    client = offline_client(ParleyVoiceClient, asyncio.get_running_loop(), port, mode)
    state: Any = client._connection
    state.dave_session, state.dave_protocol_version = voices.sessions[0], 1
    for ssrc, user_id in voices.people.items():
        client._add_ssrc(user_id, ssrc)
    delivered: set[tuple[int, int]] = set()
    recorder = None
    if folder is None:
        client.receiver.subscribe(lambda frame: delivered.add((frame.user_id, frame.sequence)), owner="bench")
    else:
        named = Named(id="1", name="bench")
        metadata = Metadata(
            id="bench", guild=named, channel=named, started_at=datetime.now(UTC), consent=ConsentPart(mode="announce")
        )
        recorder = Recorder(
            folder, metadata, RecordingSource(named, named), consent=RecordingConsent("announce"), clock=SystemClock()
        )
        recorder.start()
        client.receiver.subscribe(recorder.write, owner="bench")
    client.connection.reader.resume()

    def stop() -> int:
        client.connection.reader.stop()
        if recorder is None or folder is None:
            return len(delivered)
        recorder.stop("done").result(10)
        total = 0
        for journal in folder.glob("*.ogg"):
            with journal.open("rb") as file:
                total += sum(1 for _ in JournalReader(file))
        return total

    feed = client.receiver.feed
    return Ear(state.socket.getsockname()[1], lambda datagram: feed(datagram, time.monotonic()), stop)


async def listen_theirs(voices: Crowd, port: int, *, pcm: bool) -> Ear:
    """discord-ext-voice-recv with one of its own sinks."""
    import discord
    from discord.ext import voice_recv

    from core.audio.opus import find_libopus

    discord.opus.load_opus(str(find_libopus()))
    client = offline_client(voice_recv.VoiceRecvClient, asyncio.get_running_loop(), port, XCHACHA)
    client.channel.guild.get_member = lambda user_id: SimpleNamespace(id=user_id)  # pyright: ignore[reportAttributeAccessIssue] - a stub
    for ssrc, user_id in voices.people.items():
        client._add_ssrc(user_id, ssrc)
    delivered: set[tuple[int, int]] = set()

    def write(user: Any, data: voice_recv.VoiceData) -> None:
        if data.packet:  # not one made up for a lost one
            delivered.add((user.id, data.packet.sequence))

    client.listen(voice_recv.BasicSink(write, decode=pcm))
    state: Any = client._connection
    state._socket_reader.resume()

    def stop() -> int:
        client.stop_listening()
        time.sleep(0.5)
        return len(delivered)

    return Ear(state.socket.getsockname()[1], client._reader.callback, stop)


async def child(kind: str, loss: float, seconds: float, people: int, *, direct: bool) -> dict[str, Any]:
    """Measure one receiver, in this process."""
    ours = kind.startswith("ours")
    mode = AES if kind in (OURS, OURS_BARE) else XCHACHA
    voices = crowd(people, seconds, mode=mode, dave=ours, loss=loss)
    pacer = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-m", "bench._pacer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert pacer.stdin is not None  # noqa: S101 - given as PIPE above
    assert pacer.stdout is not None  # noqa: S101 - given as PIPE above
    port = int(pacer.stdout.readline())
    with tempfile.TemporaryDirectory() as folder:
        if ours:
            ear = await listen_ours(voices, port, mode, None if kind == OURS_BARE else Path(folder))
        else:
            ear = await listen_theirs(voices, port, pcm=kind == PCM_SINK)
        if not direct:
            pacer.stdin.write(b"\1\0\0\0" + ear.port.to_bytes(4, "little"))
            pacer.stdin.write(b"".join(RECORD.pack(at_s, len(data)) + data for at_s, data in voices.datagrams))
        gc.collect()
        gc.freeze()  # what the bench itself holds is nobody's cost
        cpu_s = time.process_time()
        if direct:
            await asyncio.to_thread(hand_over, voices, ear)
        else:
            await asyncio.to_thread(pacer.communicate)
            await quiet()
        cpu_s = time.process_time() - cpu_s
        delivered = await asyncio.to_thread(ear.stop)
    if direct:
        await asyncio.to_thread(pacer.communicate, b"\0\0\0\0")
    arrived = len(voices.datagrams)
    return {
        "cpu_us_per_packet": round(cpu_s / arrived * 1e6, 1),
        "sent": arrived + voices.dropped,
        "lost_by_network": voices.dropped,
        "lost_beyond": arrived - delivered,
    }


async def quiet() -> None:
    """Wait until the receiver has worked off what its socket still held: on a busy machine it is behind the sender."""
    for _ in range(QUIET_TRIES):
        cpu_s = time.process_time()
        await asyncio.sleep(SETTLE_S)
        if time.process_time() - cpu_s < QUIET_SHARE * SETTLE_S:
            return


def hand_over(voices: Crowd, ear: Ear) -> None:
    """Hand every datagram over, those of 20 ms together."""
    start_s, feed = time.monotonic(), ear.feed
    for at_s, data in voices.datagrams:
        delay_s = start_s + at_s // FRAME_S * FRAME_S / SPEED - time.monotonic()
        if delay_s > 0.001:
            time.sleep(delay_s)
        feed(data)


def measure(kind: str, loss: float, seconds: float, people: int, *, direct: bool) -> dict[str, Any]:
    """Measure one receiver, in a fresh process."""
    command = [sys.executable, "-m", "bench.receive", "--child", kind, "--loss", str(loss), "--seconds", str(seconds)]
    command += ["--people", str(people), *(["--direct"] if direct else [])]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def main(argv: list[str]) -> int:
    """Run the benchmark; 0 if the goals were met."""
    parser = argparse.ArgumentParser(prog="bench receive", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="how long everybody speaks")
    parser.add_argument("--people", type=int, default=PEOPLE, help="how many speak at once")
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--direct", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--loss", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        result = asyncio.run(child(options.child, options.loss, options.seconds, options.people, direct=options.direct))
        print(json.dumps(result))
        return 0
    met = True
    for loss in (0.0, 0.05):
        results: dict[str, dict[str, Any]] = {}
        for kind in KINDS:
            live = measure(kind, loss, options.seconds, options.people, direct=False)
            direct = measure(kind, loss, options.seconds, options.people, direct=True)
            results[kind] = {
                **live,
                "with_socket_us": live["cpu_us_per_packet"],
                "cpu_us_per_packet": direct["cpu_us_per_packet"],
            }
        for kind, result in results.items():
            line: dict[str, Any] = {"bench": "receive", "what": kind, "people": options.people, "loss": loss, **result}
            if kind == OURS:
                share = result["cpu_us_per_packet"] / results[PCM_SINK]["cpu_us_per_packet"]
                good = result["cpu_us_per_packet"] <= GOAL_US and share <= GOAL_SHARE_OF_PCM
                good = good and result["lost_beyond"] == 0
                line |= {"share_of_pcm_sink": round(share, 3), "goal": "<= 30 us, <= 0.2 of the PCM sink, 0 lost"}
                line["met"] = good
                met = met and good
            print(json.dumps(line), flush=True)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
