"""What strangers' bytes reach, as functions that take damaged input from a seeded generator; what they raise is a fault."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import av
import numpy as np
from discord.errors import ConnectionClosed
from PIL import Image

from bench._card_targets import cards
from bench._crowd import crowd
from bench._mutations import damaged, warped
from bench._offline import KEY, dave_group, offline_client
from core.audio.decode import blocks
from core.audio.frames import CHANNELS
from core.audio.opus import Encoder
from core.audio.packet_timeline import Placed
from core.clock import SystemClock
from core.errors import AudioError, RecordingError, StudioError
from core.recording.journal import JournalReader, JournalWriter
from core.recording.metadata import FILE, Metadata, Named, Note, RecordedPerson, read_metadata, write_metadata
from core.recording.metadata import ConsentNote as ConsentPart
from core.recording.recorder import Recorder
from core.recording.rights import RecordingConsent
from core.recording.source import RecordingSource
from core.recording.track import TrackJob, TrackState, render_track
from core.studio.pictures import Limits, look_at
from core.voice.connection.client import ParleyVoiceClient
from core.voice.connection.state import ParleyVoiceWebSocket
from loopback.voice.mls import ExternalSender
from loopback.voice.rtp import RtpPacket, header_and_body
from loopback.voice.transport import MODES

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

AES = "aead_aes256_gcm_rtpsize"
TURN_EVERY = 500
RENDER_EVERY = 10
ANNA, BEN, ANNAS, BENS = 100, 101, 5000, 5001


def _metadata() -> Metadata:
    named = Named(id="1", name="fuzz")
    began = datetime.now(UTC)
    metadata = Metadata(id="fuzz", guild=named, channel=named, started_at=began, consent=ConsentPart(mode="announce"))
    metadata.people = [
        RecordedPerson(id="100", name="Anna", first_seen_at=began, journal="100_Anna.ogg", track="100_Anna.wav")
    ]
    metadata.notes = [Note(at_s=1.5, at=began, text="here", by=named)]
    return metadata


def datagrams(folder: Path, closing: ExitStack) -> Callable[[random.Random], None]:
    """UDP: damaged on the way, and sealed anew around what is damaged inside, as a server could; through to a journal."""
    voices = crowd(2, 4.0, mode=AES, dave=True, loss=0.0)
    client = offline_client(ParleyVoiceClient, asyncio.new_event_loop(), 9, AES)
    state, receiver = client.connection, client.receiver
    state.dave_session, state.dave_protocol_version = voices.sessions[0], 1
    for ssrc, user_id in voices.people.items():
        client._add_ssrc(user_id, ssrc)  # pyright: ignore[reportPrivateUsage] - as the voice gateway's hook does
    found = _metadata()
    recorder = Recorder(
        folder,
        found,
        RecordingSource(found.guild, found.channel),
        consent=RecordingConsent("announce"),
        clock=SystemClock(),
    )
    closing.callback(recorder.stop, "enough")
    receiver.subscribe(recorder.write, owner="fuzz")
    seeds = [datagram for _, datagram in voices.datagrams]
    seal = MODES[AES](bytes(KEY)).seal
    people = dave_group([1, ANNA, BEN])
    inside = [people[ANNA].encrypt_opus(bytes([0x78, *range(60)])), b"\x78" * 50, b"\xf8\xff\xfe", b"\xfb\x06", b""]
    count = 0

    def attempt(rng: random.Random) -> None:
        nonlocal count
        count += 1
        if rng.random() < 0.4:
            datagram = damaged(rng, seeds)
        elif rng.random() < 0.2:
            datagram = seeds[count % len(seeds)]  # in between all is well
        else:
            ssrc = rng.choice((ANNAS, BENS, BENS, rng.getrandbits(32)))
            stamp = rng.choice((count * 960 & 0xFFFFFFFF, rng.getrandbits(32)))
            number = rng.choice((count & 0xFFFF, rng.getrandbits(16)))
            packet = RtpPacket(rng.choice((120, 120, 120, 103)), False, number, stamp, ssrc, damaged(rng, inside))
            extension = rng.choice((b"", b"\x10\xff\x90\x00", rng.randbytes(4)))
            datagram = seal(*header_and_body(packet, extension=extension, padding=rng.choice((0, 0, 1, 255))))
        receiver.feed(datagram, time.monotonic())
        if count % TURN_EVERY == 0:
            receiver.settle(time.monotonic())
            recorder.turn(time.monotonic())
            for failed in receiver.stats.failed.values():
                if failed:
                    raise RuntimeError(f"a subscriber failed {failed} times")

    return attempt


class _Socket:
    """A websocket that receives what it is given, and takes whatever is sent."""

    close_code = None

    def __init__(self) -> None:
        self.message = aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)

    async def receive(self) -> aiohttp.WSMessage:
        return self.message

    async def send_str(self, _text: str) -> None: ...

    async def send_bytes(self, _data: bytes) -> None: ...

    async def close(self, *, code: int = 1000) -> None:
        _ = code


def gateway(_folder: Path, _closing: ExitStack) -> Callable[[random.Random], None]:
    """The voice gateway's JSON and binary messages to a connection that stands; it may ask to be made anew, no more."""
    loop = asyncio.new_event_loop()
    client = offline_client(ParleyVoiceClient, loop, 9, AES)
    state: Any = client.connection
    socket = _Socket()
    ws = ParleyVoiceWebSocket(cast("Any", socket), loop=loop, hook=state.hook)
    ws._connection = state  # pyright: ignore[reportPrivateUsage] - as discord.py's `from_connection_state` does
    ws.secret_key = KEY
    state.ws = ws
    bot_state: Any = client.client._connection  # pyright: ignore[reportPrivateUsage] - nobody is logged in
    bot_state.user = SimpleNamespace(id=1)
    state.dave_protocol_version = 1
    loop.run_until_complete(state.reinit_dave_session())
    sender = ExternalSender(99)
    binary = [
        b"\0\1\x19" + sender.package(),
        b"\0\2\x1b\0" + bytes(40),
        b"\0\3\x1d\0\1" + bytes(60),
        b"\0\4\x1e\0\1" + bytes(60),
    ]
    texts: list[dict[str, Any]] = [
        {"op": 5, "d": {"user_id": "100", "ssrc": ANNAS, "speaking": 1}, "seq": 1},
        {"op": 6, "d": {"t": 5}},
        {"op": 11, "d": {"user_ids": ["100", "101"]}, "seq": 2},
        {"op": 12, "d": {"user_id": "100", "audio_ssrc": ANNAS, "video_ssrc": 0, "streams": []}, "seq": 3},
        {"op": 13, "d": {"user_id": "100"}, "seq": 4},
        {"op": 18, "d": {"user_id": "100", "flags": 3}, "seq": 5},
        {"op": 20, "d": {"user_id": "100", "platform": 0}, "seq": 6},
        {"op": 21, "d": {"protocol_version": 0, "transition_id": 7}, "seq": 7},
        {"op": 22, "d": {"transition_id": 7}, "seq": 8},
        {"op": 24, "d": {"protocol_version": 1, "epoch": 1}, "seq": 9},
    ]

    def attempt(rng: random.Random) -> None:
        kind = aiohttp.WSMsgType
        if rng.random() < 0.5:
            socket.message = aiohttp.WSMessage(kind.BINARY, damaged(rng, binary), None)
        elif rng.random() < 0.8:
            socket.message = aiohttp.WSMessage(kind.TEXT, json.dumps(warped(rng, rng.choice(texts))), None)
        else:
            text = damaged(rng, [json.dumps(text).encode() for text in texts]).decode("utf-8", "replace")
            socket.message = aiohttp.WSMessage(kind.TEXT, text, None)
        try:
            loop.run_until_complete(ws.poll_event())
        except ConnectionClosed:
            ws.lost = False  # discord.py connects anew

    return attempt


def journals(folder: Path, _closing: ExitStack) -> Callable[[random.Random], None]:
    """Ogg journals: read, and every so often rendered."""
    path = folder / "anna.ogg"
    writer = JournalWriter(path, 7, {"TITLE": "Anna"})
    encoder = Encoder()
    sound = (0.2 * np.sin(np.arange(960) / 9)).astype(np.float32)[:, None].repeat(CHANNELS, 1)
    for number in range(60):
        late = 96_000 if number > 30 else 0
        writer.add(Placed(number * 960 + late, 960, encoder.encode_float(sound), 0, number in (0, 31)))
    writer.close()
    seeds, broken, wav = [path.read_bytes()], folder / "broken.ogg", folder / "broken.wav"
    count = 0

    def attempt(rng: random.Random) -> None:
        nonlocal count
        count += 1
        data = damaged(rng, seeds)
        for _ in JournalReader(io.BytesIO(data)):
            pass
        if count % RENDER_EVERY == 0 and len(data) < 100_000:
            broken.write_bytes(data)
            wav.unlink(missing_ok=True)
            render_track(TrackJob(str(broken), str(wav)), TrackState(), 48_000 * 10)

    return attempt


def metadata(folder: Path, _closing: ExitStack) -> Callable[[random.Random], None]:
    """`metadata.json` of a recording that was brought in."""
    write_metadata(folder, _metadata())
    seed = (folder / FILE).read_bytes()

    def attempt(rng: random.Random) -> None:
        data = damaged(rng, [seed]) if rng.random() < 0.5 else json.dumps(warped(rng, json.loads(seed))).encode()
        (folder / FILE).write_bytes(data)
        with contextlib.suppress(RecordingError):  # says what is wrong
            read_metadata(folder)

    return attempt


def uploads(_folder: Path, _closing: ExitStack) -> Callable[[random.Random], None]:
    """Sound files and pictures that people send."""
    sounds = [_sound("wav", "pcm_s16le"), _sound("mp3", "libmp3lame"), _sound("ogg", "libopus"), _sound("flac", "flac")]
    pictures = [_picture(kind) for kind in ("PNG", "JPEG", "GIF", "WEBP")]
    limits = Limits()

    def attempt(rng: random.Random) -> None:
        try:
            if rng.random() < 0.5:
                for _ in blocks(damaged(rng, sounds), max_bytes=1 << 20, max_s=60):
                    pass
            else:
                look_at(damaged(rng, pictures), limits)
        except (AudioError, StudioError):
            pass  # says what is wrong

    return attempt


def _sound(container: str, codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = cast("Any", file.add_stream(codec, rate=48_000))
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(
            (3000 * np.sin(np.arange(9600) / 20)).astype(np.int16)[None, :], format="s16", layout="mono"
        )
        frame.rate = 48_000
        resampler = av.AudioResampler(stream.format, "mono", 48_000, stream.frame_size or None)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


def _picture(kind: str) -> bytes:
    out = io.BytesIO()
    ramp = np.arange(48 * 48 * 3, dtype=np.uint32).astype(np.uint8).reshape(48, 48, 3)
    Image.fromarray(ramp).save(out, kind)
    return out.getvalue()


TARGETS = {
    "datagrams": datagrams,
    "gateway": gateway,
    "journals": journals,
    "metadata": metadata,
    "uploads": uploads,
    "cards": cards,
}
