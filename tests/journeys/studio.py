"""A recording from end to end: people speak on a Discord on localhost, our bot records, and the files tell."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from core.bot.record_session import record_session
from core.config import Config, Environment
from core.recording.metadata import Metadata
from launch.bot import ParleyBot
from loopback.voice.opcodes import Op
from loopback.world.permissions import Permission
from tests.journeys.sounds import FRAME, RATE_HZ, Found, find, level_dbfs, read_wav

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack
    from pathlib import Path

    import numpy as np
    from loopback.voice.session import VoiceSession

    from core.bot.runtime import Runtime
    from core.recording.live_recording import LiveRecording
    from core.voice.session import VoiceSession as BotsSession
    from loopback.people.person import Person
    from loopback.server import Loopback
    from loopback.voice.endpoint import Endpoint
    from loopback.voice.faults import VoiceFaults
    from loopback.voice.room import Room

FRAME_S = 0.02
PIECE = 2 * FRAME
SILENT_DBFS = -60.0
CALM_S = 0.005
LOOKS, LOOK_S = 6, 0.03


@dataclass(slots=True)
class Spoken:
    """What somebody said, and when each of its frames went out."""

    user_id: int
    sound: np.ndarray
    sent_s: list[float] = field(default_factory=list)
    stalled_s: float = 0.0  # the longest that the loop, which relays the packets, stood still meanwhile

    @property
    def unrest_s(self) -> float:
        """How far the machine moved packets from the even pace of speech: nobody can place them better than that."""
        late = [abs(sent - self.began_s - index * FRAME_S) for index, sent in enumerate(self.sent_s)]
        return self.stalled_s + max(late)

    @property
    def began_s(self) -> float:
        """When its first sample went out, on `time.monotonic`, by the middle of all its frames."""
        frames = self.sent_s[: -(-len(self.sound) // FRAME)]
        return statistics.median(sent - index * FRAME_S for index, sent in enumerate(frames))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finished recording."""

    folder: Path
    metadata: Metadata
    started_s: float

    def person(self, user_id: int) -> Any:
        """Somebody's part of the metadata."""
        found = self.metadata.person(user_id)
        assert found is not None, f"{user_id} is not on the recording"
        return found

    def track(self, user_id: int) -> np.ndarray:
        """Somebody's samples."""
        return read_wav(self.folder / self.person(user_id).track)

    @property
    def mix(self) -> np.ndarray:
        """Everybody's samples."""
        return read_wav(self.folder / self.metadata.files.session)

    def place(self, spoken: Spoken) -> int:
        """The sample at which something should be."""
        return round((spoken.began_s - self.started_s) * RATE_HZ)

    def find(self, spoken: Spoken, *, mix: bool = False) -> tuple[Found, float]:
        """Something said, on its speaker's track or in the mix, and by how many ms its place is off."""
        track = self.mix if mix else self.track(spoken.user_id)
        found = find(track, spoken.sound, self.place(spoken))
        return found, (found.at - self.place(spoken)) / 48

    def likeness_in_pieces(self, spoken: Spoken, at: int) -> float:
        """How like itself something is, frame by frame, when each may be off by as much as the machine was restless."""
        track, reach_s = self.track(spoken.user_id), CALM_S + spoken.unrest_s
        starts = range(0, len(spoken.sound) - PIECE + 1, PIECE)
        found = [find(track, spoken.sound[start : start + PIECE], at + start, reach_s) for start in starts]
        return statistics.fmean(each.likeness for each in found)

    def rest_dbfs(self, user_id: int, said: list[Spoken], margin_s: float = 0.15) -> float:
        """How loud a track is where its person said nothing."""
        track = self.track(user_id).copy()
        for spoken in said:
            margin = round((margin_s + spoken.unrest_s) * RATE_HZ)
            start = self.place(spoken)
            track[max(0, start - margin) : start + len(spoken.sound) + margin] = 0
        return level_dbfs(track)


class Studio:
    """One guild, one voice channel, our bot without cogs, and people."""

    def __init__(self, stack: AsyncExitStack, discord: Loopback, folder: Path) -> None:
        self.discord = discord
        self.folder = folder
        standard = discord.standard()
        self.guild, self.text, self.voice, self.bot_user = standard.guild, standard.text, standard.voice, standard.bot
        self.bot: Any = None
        self._stack = stack

    # The bot ----------------------------------------------------------------------------------------------------------

    async def start(self, *, cogs: tuple[str, ...] = (), **sections: dict[str, Any]) -> None:
        """Log the bot in and bring it into the channel."""
        store = {"url": f"sqlite+aiosqlite:///{(self.folder / 'parley.db').as_posix()}"}
        config = Config(base=self.folder, **{"store": store, **sections})
        self.bot = ParleyBot(config, Environment({}), cogs=cogs, connector=self.discord.connector())
        running = asyncio.create_task(self.bot.start(self.bot_user.token))
        self._stack.push_async_callback(_stop, self.bot, running)
        await asyncio.wait_for(asyncio.create_task(self.bot.wait_until_ready()), 60)
        await self.runtime.voice.join(
            self.bot.get_channel(self.voice.id), prompt_channel=self.bot.get_channel(self.text.id)
        )

    @property
    def runtime(self) -> Runtime:
        return self.bot.parley

    @property
    def session(self) -> BotsSession:
        return self.runtime.voice.require(self.guild.id)

    async def record(self) -> LiveRecording:
        """Begin a recording as `/voice record` does."""
        return await record_session(self.runtime.recordings, self.session)

    async def stop(self) -> Recorded:
        """End the recording and wait for its files; the metadata is read from the disk and so checked."""
        live = self.runtime.recordings.required(self.guild.id)
        await self.calm()
        await self.runtime.recordings.stop(self.guild.id, "I was asked to stop.")
        await self.runtime.recordings.rendered(live.id)
        metadata = Metadata.model_validate_json((live.folder / "metadata.json").read_bytes())
        return Recorded(live.folder, metadata, live.recorder.started_s)

    # People -----------------------------------------------------------------------------------------------------------

    @property
    def hosts(self) -> Any:
        """A new role that may record."""
        return self.discord.world.add_role(self.guild, "hosts", Permission.MANAGE_CHANNELS)

    async def person(self, name: str, *, alone: bool = False, **options: Any) -> Person:
        """Somebody in the channel whose words are encrypted, unless nobody is there to share a group with."""
        person = await self.discord.person(name, self.guild, **options)
        await self._stack.enter_async_context(person)
        await person.join(self.voice)
        if not alone:
            await person.until_encrypted()
        return person

    async def people(self, *names: str) -> list[Person]:
        """Several of them, all in one group."""
        people = list(await asyncio.gather(*(self.person(name) for name in names)))
        await self.settled(len(names) + 1)
        return people

    async def speak(self, person: Person, sound: np.ndarray) -> Spoken:
        """Let somebody say something, to its end."""
        spoken = Spoken(person.user.id, sound)
        voice: Any = person.voice
        send = voice.send_audio_packet

        def sending(data: bytes, *, encode: bool = True) -> None:
            if encode:  # the five frames of silence at the end come encoded
                spoken.sent_s.append(time.monotonic())
            send(data, encode=encode)

        voice.send_audio_packet = sending
        watching = asyncio.create_task(_watch(spoken))
        try:
            await person.play(sound)
        finally:
            watching.cancel()
            voice.send_audio_packet = send
        return spoken

    # The channel ------------------------------------------------------------------------------------------------------

    @property
    def faults(self) -> VoiceFaults:
        return self.discord.voice.faults

    @property
    def room(self) -> Room:
        room = self.discord.voice.room(self.voice.id)
        assert room is not None
        return room

    @property
    def endpoint(self) -> Endpoint:
        """The voice server's end of the bot's media: it counts what the network takes."""
        session = self.discord.voice.session(guild_id=self.guild.id, user_id=self.bot_user.id)
        assert session is not None
        return session.endpoint

    def lost(self, person: Person) -> int:
        """Packets of somebody that the network did not bring to the bot."""
        return self.endpoint.lost[person.voice.ssrc]

    async def settled(self, members: int | None = None) -> None:
        """Wait until everybody shares the group."""
        await self.room.wait_settled(members)

    async def calm(self) -> None:
        """Wait until what was sent last has come through the relay to the bot: nothing came at several looks."""
        seen, same = -1, 0
        while same < LOOKS:
            stats = self.session.receiver.stats
            now = stats.delivered + sum(stats.dropped.values()) + sum(stats.undecryptable.values())
            seen, same = (seen, same + 1) if now == seen else (now, 0)
            await asyncio.sleep(LOOK_S)

    def hold_recovery(self) -> Callable[[], None]:
        """Keep from the voice server that the bot could not follow, and what it says after that; gives what lets go."""
        room, held = self.room, []
        hears = room.dave_json, room.dave_binary

        def hold(hear: Callable[..., None], session: VoiceSession, op: int, content: Any) -> None:
            if session.user_id == self.bot_user.id and (held or op == Op.INVALID_COMMIT_WELCOME):
                held.append((hear, session, op, content))
            else:
                hear(session, op, content)

        def let_go() -> None:
            room.dave_json, room.dave_binary = hears
            for hear, *said in held:
                hear(*said)

        room.dave_json, room.dave_binary = (partial(hold, hear) for hear in hears)
        return let_go

    async def until(self, condition: Callable[[], Any], timeout: float = 30) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - what tests wait for has no event of its own
                await asyncio.sleep(0.01)


async def _stop(bot: Any, running: asyncio.Task[None]) -> None:
    await bot.close()
    await asyncio.wait([running])


async def _watch(spoken: Spoken) -> None:
    """Keep how long the loop stood still at most."""
    while True:
        due_s = time.monotonic() + CALM_S
        await asyncio.sleep(CALM_S)
        spoken.stalled_s = max(spoken.stalled_s, time.monotonic() - due_s)


def assert_there(
    recorded: Recorded, *said: Spoken, within_ms: float = 20.0, likeness: float = 0.9, within_db: float = 1.0
) -> None:
    """Everything that was said is on its speaker's track: in its place, like itself, as loud as it was.

    These journeys take place in real time. Where the machine itself stood still while somebody spoke, packets came
    unevenly: their place is uncertain by as much, and a track that follows their arrival is like the sound piece by piece.
    """
    for spoken in said:
        found, off_ms = recorded.find(spoken)
        alike, torn = found.likeness, 0.0
        if spoken.unrest_s > CALM_S and alike <= likeness:
            alike = recorded.likeness_in_pieces(spoken, found.at)
            torn = spoken.unrest_s * RATE_HZ / len(spoken.sound)  # as much of it as stood still
        assert alike > likeness - torn, (found, alike, off_ms, spoken.unrest_s)
        assert abs(off_ms) <= within_ms + spoken.unrest_s * 1000, (found, off_ms, spoken.unrest_s)
        assert abs(found.gain_db) < within_db, (found, off_ms)


def assert_nothing_else(recorded: Recorded, user_id: int, said: list[Spoken]) -> None:
    """A track is silent but for what its person said."""
    assert recorded.rest_dbfs(user_id, said) < SILENT_DBFS
