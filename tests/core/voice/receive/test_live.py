"""Our client and discord.py's own in one encrypted call: both are heard, whatever happens to the call."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import numpy as np
import pytest

from core.audio.frames import OPUS_SILENCE, OpusFrame
from core.voice.connection.client import ParleyVoiceClient
from core.voice.connection.state import ParleyVoiceWebSocket
from loopback.people.clients import Listening, client_options, running, until
from loopback.server import Loopback, Standard
from loopback.voice.opcodes import Op

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback.people.person import Person
    from loopback.voice.room import Room
    from loopback.world.guilds import Channel

RATE = 48_000
# discord.py's own client, which the people use, forgets its old socket in a move and its poller when hung up on.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def noise(duration_s: float) -> np.ndarray:
    samples = np.random.default_rng(5).normal(0, 3000, (round(duration_s * RATE), 2))
    return samples.astype(np.int16)


@dataclass
class Call:
    """The bot in a call with Anna, and everything the bot heard."""

    loopback: Loopback
    place: Standard
    bot: Listening
    people: list[Person] = field(default_factory=list)
    frames: list[OpusFrame] = field(default_factory=list)
    voice: ParleyVoiceClient = None  # pyright: ignore[reportAssignmentType] - set by `enter`

    async def enter(self) -> ParleyVoiceClient:
        channel = self.bot.get_channel(self.place.voice.id)
        self.voice = await channel.connect(cls=ParleyVoiceClient, timeout=10)
        self.voice.receiver.subscribe(self.frames.append, owner=self)
        return self.voice

    async def person(self, name: str) -> Person:
        person = await self.loopback.person(name, self.place.guild)
        self.people.append(person)
        await person.join(self.place.voice)
        return person

    def room(self, channel: Channel | None = None) -> Room:
        room = self.loopback.voice.room((channel or self.place.voice).id)
        assert room is not None
        return room

    def heard(self, person: Person) -> list[OpusFrame]:
        return [frame for frame in self.frames if frame.user_id == person.user.id and frame.payload != OPUS_SILENCE]

    async def both_are_heard(self, person: Person) -> None:
        """The bot and a person speak half a second each, and not one frame is lost on either side."""
        await until(lambda: not self.voice.player.sending)
        await asyncio.sleep(0.1)
        self.frames.clear()
        person.ears.forget()
        line = self.voice.player.line("hello")
        line.write(noise(0.5)[:, 0].astype(np.float32) / 32768)
        line.end()
        await asyncio.gather(line.finished(), person.play(noise(0.5)))
        heard = person.ears.heard
        await until(lambda: len(self.heard(person)) == 25, timeout_s=3)
        await until(lambda: sum(not frame.silence for frame in heard(self.voice.user.id)) == 26, timeout_s=3)


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    async with Loopback() as loopback:
        loopback.redirect()
        place = loopback.standard()
        async with running(Listening(**client_options(loopback)), place.bot.token) as bot:
            call = Call(loopback, place, bot)
            yield call
            if call.voice is not None:
                await call.voice.disconnect(force=True)
                call.voice.player.join()
                call.voice.connection.reader.join(2)
                assert not call.voice.connection.reader.is_alive()
            for person in call.people:
                await person.close()


@pytest.fixture
async def anna(call: Call) -> Person:
    anna = await call.person("anna")
    await call.enter()
    await call.room().wait_settled(2)
    return anna


@pytest.mark.parametrize("mode", ["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"])
async def test_both_are_heard_in_both_transport_modes(call: Call, mode: str) -> None:
    call.loopback.voice.faults.padding_rate = 0.3
    anna = await call.person("anna")
    call.loopback.voice.faults.modes = (mode,)  # for us alone: discord.py's own client has only the second
    voice = await call.enter()
    await call.room().wait_settled(2)
    assert voice.mode == mode
    await call.both_are_heard(anna)
    stats = voice.receiver.stats
    assert stats.undecryptable == {}
    assert stats.users[anna.user.id].lost == 0
    assert voice.dave.privacy_code == anna.voice.voice_privacy_code
    assert (voice.dave.protocol_version, voice.dave.epoch, voice.dave.transport) == (1, call.room().epoch, mode)


async def test_aes_is_chosen_whatever_order_the_server_offers(call: Call) -> None:
    call.loopback.voice.faults.modes = ("aead_xchacha20_poly1305_rtpsize", "aead_aes256_gcm_rtpsize")
    await call.person("anna")
    assert (await call.enter()).mode == "aead_aes256_gcm_rtpsize"


async def test_joins_and_leaves_rekey_the_call_and_cost_nothing(call: Call, anna: Person) -> None:
    talking = asyncio.create_task(anna.play(noise(3)))
    for name in ("ben", "cleo"):
        person = await call.person(name)
        await call.room().wait_settled(3)
        await person.leave()
        await call.room().wait_settled(2)
    await talking
    await until(lambda: len(call.heard(anna)) == 150)
    assert call.voice.receiver.stats.undecryptable == {}
    assert call.room().epoch >= 5


async def test_audio_that_comes_before_its_owner_is_known_is_kept(call: Call) -> None:
    call.loopback.voice.faults.speaking_delay_s = 0.6
    anna = await call.person("anna")
    await call.enter()
    await call.room().wait_settled(2)
    await anna.play(noise(0.4))
    await until(lambda: len(call.heard(anna)) == 20)
    assert call.voice.receiver.stats.users[anna.user.id].late_mapped > 0


async def test_who_spoke_before_we_came_and_is_never_announced_is_heard(call: Call) -> None:
    call.loopback.voice.faults.speaking_delay_s = 600
    anna = await call.person("anna")
    await call.enter()
    await call.room().wait_settled(2)
    await anna.play(noise(0.5))
    await until(lambda: len(call.heard(anna)) == 25)
    assert call.voice.receiver.stats.undecryptable == {}


async def test_somebody_leaves_while_nobody_listens(call: Call, anna: Person) -> None:
    call.voice.receiver.drop(call)
    ben = await call.person("ben")
    await ben.leave()
    await call.room().wait_settled(2)
    call.voice.receiver.subscribe(call.frames.append, owner=call)
    await call.both_are_heard(anna)


async def test_nobody_speaks_in_the_bots_own_name(call: Call, anna: Person) -> None:
    own = call.voice.user.id
    assert call.voice.ssrc not in call.voice.receiver._users
    call.voice._add_ssrc(own, 31337)  # what op 5 of a server that lies comes to
    assert 31337 not in call.voice.receiver._users
    await call.both_are_heard(anna)
    assert not [frame for frame in call.frames if frame.user_id == own]


async def test_frames_of_an_epoch_from_before_we_came_are_told_by_person_and_time(call: Call) -> None:
    anna, _ben = await call.person("anna"), await call.person("ben")
    await call.room().wait_settled(2)
    call.loopback.voice.faults.proposal_delay_s = 1.0
    talking = asyncio.create_task(anna.play(noise(2.5)))
    began_s = time.monotonic()
    await call.enter()
    await call.room().wait_settled(3)
    await talking
    await until(lambda: len(call.heard(anna)) > 20)
    (missed,) = call.voice.receiver.missed()[anna.user.id]
    assert missed.cause in ("no_decryptor", "no_key", "no_session")
    assert missed.frames == call.voice.receiver.stats.users[anna.user.id].undecryptable[missed.cause] > 10
    assert began_s <= missed.start_s < missed.end_s < time.monotonic()


async def test_a_camera_is_no_audio(call: Call, anna: Person) -> None:
    await anna.camera(on=True)
    await until(lambda: call.voice.receiver.stats.dropped.get("other_payload", 0) > 5)
    await call.both_are_heard(anna)
    await anna.camera(on=False)


async def test_a_damaged_welcome_is_recovered_from(call: Call) -> None:
    anna = await call.person("anna")
    ben = await call.person("ben")
    await call.room().wait_settled(2)
    call.loopback.voice.faults.corrupt_welcomes = 1
    await call.enter()
    await call.room().wait_settled(3)
    assert call.room().dave_counters.recoveries == 1
    await call.both_are_heard(anna)
    await call.both_are_heard(ben)


async def test_malformed_group_messages_do_not_end_the_connection(call: Call, anna: Person) -> None:
    for op in (Op.EXTERNAL_SENDER, Op.PROPOSALS):
        call.room().send_binary(call.voice.user.id, op, b"\x00garbage")
    await until(lambda: call.voice.connection.refused_messages == 2)
    await call.both_are_heard(anna)


async def test_a_group_that_lost_us_is_joined_again(call: Call, anna: Person) -> None:
    session = call.voice.connection.dave_session
    assert session is not None
    session.reinit(1, call.voice.user.id, call.place.voice.id)  # our keys are gone, and nobody knows
    call.voice.connection.transition_at_s = float("-inf")
    for _ in range(4):
        await anna.play(noise(2))
        if call.voice.receiver.stats.recoveries:
            break
    assert call.voice.receiver.stats.recoveries == 1
    await call.room().wait_until(lambda room: room.dave_counters.recoveries == 1)
    await call.room().wait_settled(2)
    await call.both_are_heard(anna)


async def test_encryption_off_and_on_again(call: Call, anna: Person) -> None:
    call.room().set_protocol_version(0)
    await call.room().wait_settled()
    await until(lambda: call.voice.dave.protocol_version == 0)
    await call.both_are_heard(anna)
    assert call.voice.receiver.stats.users[anna.user.id].plain == 25
    assert call.voice.dave.privacy_code is None
    call.room().set_protocol_version(1)
    await call.room().wait_settled(2)
    await until(lambda: call.voice.dave.ready)
    await call.both_are_heard(anna)
    assert call.voice.receiver.stats.undecryptable == {}


@pytest.mark.parametrize("fault", ["4015", "4015, no resume", "4006", "websocket cut", "gateway cut"])
async def test_a_broken_connection_comes_back_and_a_line_goes_on(call: Call, anna: Person, fault: str) -> None:
    server, voice = call.loopback.voice, call.voice
    line = voice.player.line("long")
    line.write(noise(2)[:, 0].astype(np.float32) / 32768)
    line.end()
    await anna.ears.wait_for_voice(voice.user.id)
    key = {"guild_id": call.place.guild.id, "user_id": voice.user.id}
    server.faults.allow_resume = fault != "4015, no resume"
    if fault[:4] in ("4015", "4006"):
        session = server.session(**key)
        assert session is not None
        session.hang_up(int(fault[:4]))  # only on us: how discord.py's own client comes back is not ours to test
    elif fault == "websocket cut":
        await server.drop(**key)
    else:
        await call.loopback.faults.drop_gateway(call.place.bot)
    end = await asyncio.wait_for(line.finished(), 20)
    assert (end.outcome, end.heard_samples) == ("played", 2 * RATE)
    await call.room().wait_settled(2)
    # What was sent while nobody knew yet that the server was gone cannot be had back: a few frames at most.
    assert len({frame.sequence for frame in anna.ears.heard(voice.user.id)}) >= 90
    await call.both_are_heard(anna)


async def test_a_server_that_cannot_be_reached_at_first_is_tried_again(
    call: Call, anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, attempts = ParleyVoiceWebSocket.from_connection_state, []

    async def unreachable_once(state: object, **options: object) -> ParleyVoiceWebSocket:
        attempts.append(state)
        if len(attempts) == 1:
            raise aiohttp.ClientConnectionError("connection refused")
        return await connect(state, **options)

    monkeypatch.setattr(ParleyVoiceWebSocket, "from_connection_state", unreachable_once)
    session = call.loopback.voice.session(guild_id=call.place.guild.id, user_id=call.voice.user.id)
    assert session is not None
    session.hang_up(4006)
    await until(lambda: len(attempts) == 2, timeout_s=15)
    await until(call.voice.connected)
    await call.room().wait_settled(2)
    await call.both_are_heard(anna)


@pytest.mark.parametrize("own", [True, False])
async def test_moves_are_followed(call: Call, anna: Person, own: bool) -> None:
    other = call.loopback.world.add_voice_channel(call.place.guild, "Other")
    guild, voices = call.place.guild, call.loopback.world.voice
    line = call.voice.player.line("on the way")
    line.write(noise(1.5)[:, 0].astype(np.float32) / 32768)
    line.end()
    await anna.ears.wait_for_voice(call.voice.user.id)
    if own:
        await until(lambda: call.bot.get_channel(other.id))
        await call.voice.move_to(call.bot.get_channel(other.id))
    else:
        voices.move(guild, call.voice.user.id, other)
        await until(lambda: call.voice.channel.id == other.id and call.voice.is_connected())
    voices.move(guild, anna.user.id, other)
    assert (await line.finished()).outcome == "played"
    await until(lambda: call.loopback.voice.room(other.id))
    await call.room(other).wait_settled(2)
    await call.both_are_heard(anna)


async def test_while_another_server_is_awaited_the_line_waits(call: Call, anna: Person) -> None:
    line = call.voice.player.line("long")
    line.write(noise(4)[:, 0].astype(np.float32) / 32768)
    await anna.ears.wait_for_voice(call.voice.user.id)
    await call.loopback.voice.crash(call.place.voice.id, 4014)  # and nothing comes after it
    await until(lambda: not call.voice.connected())
    await asyncio.sleep(0.1)
    heard = line.heard_samples
    await asyncio.sleep(0.3)
    assert line.heard_samples == heard < 4 * RATE


async def test_a_connection_that_is_over_closes_its_lines(call: Call, anna: Person) -> None:
    line = call.voice.player.line("long")
    line.write(noise(4)[:, 0].astype(np.float32) / 32768)
    await anna.ears.wait_for_voice(call.voice.user.id)
    await call.voice.disconnect(force=True)
    assert (await line.finished()).outcome == "closed"
