"""The promise: whatever a voice server or the network sends, nothing of it ends what is going on. `bench fuzz` tries more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench._fuzzer import fuzz
from bench._targets import datagrams, gateway
from core.voice.receive.sense import require_sense
from loopback.voice.opcodes import Op

if TYPE_CHECKING:
    from loopback.voice.session import VoiceSession

GROWTH_MB = 20.0
MODES = ("aead_aes256_gcm_rtpsize",)
DESCRIPTION = {"mode": MODES[0], "secret_key": list(range(32)), "dave_protocol_version": 1}


def test_damaged_datagrams_and_frames_are_counted_and_never_raise() -> None:
    found = fuzz(datagrams, 4000)
    assert found.faults == ()
    assert found.growth_mb < GROWTH_MB


def test_damaged_messages_of_the_voice_gateway_cost_themselves_alone() -> None:
    found = fuzz(gateway, 1500)
    assert found.faults == ()
    assert found.growth_mb < GROWTH_MB


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        {"d": {}},
        {"op": True, "d": {}},
        {"op": 4, "d": {**DESCRIPTION, "mode": "rot13"}},
        {"op": 4, "d": {**DESCRIPTION, "secret_key": list(range(31))}},
        {"op": 4, "d": {**DESCRIPTION, "secret_key": [256] * 32}},
        {"op": 4, "d": {**DESCRIPTION, "dave_protocol_version": 2}},
        {"op": 4, "d": {**DESCRIPTION, "dave_protocol_version": None}},
        {"op": 21, "d": {"protocol_version": [], "transition_id": 1}},
        {"op": 21, "d": {"protocol_version": 0, "transition_id": 2**16}},
        {"op": 22, "d": None},
        {"op": 24, "d": {"protocol_version": 1.0, "epoch": 1}},
        {"op": 5, "d": {}, "seq": "1"},
    ],
)
def test_what_we_would_go_by_is_looked_at_first(message: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"op|seq|mode|key|version|transition|object"):
        require_sense(message, modes=MODES, newest_dave=1)


def test_what_makes_sense_is_let_through() -> None:
    for message in (
        {"op": 4, "d": DESCRIPTION},
        {"op": 24, "d": {"protocol_version": 1, "epoch": 1}},
        {"op": 99, "d": 1},
    ):
        assert require_sense(message, modes=MODES, newest_dave=1) is message


def stay_of(scene: Any) -> VoiceSession:
    return scene.discord.voice.session(guild_id=scene.guild.id, user_id=scene.bot_user.id)


async def speaks(scene: Any, person: Any) -> None:
    person.ears.forget()
    turn = scene.runtime.conversation.say(scene.session, "Here I am.")
    await person.ears.wait_for_voice(scene.bot_user.id)
    await scene.runtime.conversation.finished(turn)
    assert turn.outcome == "spoken"
    assert person.ears.plain_frames == 0


async def test_a_live_connection_goes_on_through_nonsense(scene: Any) -> None:
    await scene.start()
    ada = await scene.joined()
    await scene.discord.voice.room(scene.voice.id).wait_settled(2)
    stay, state = stay_of(scene), scene.session.client.lasting
    assert stay.outbox is not None
    key = list(state.secret_key)
    stay.outbox.put("{")
    stay.outbox.put("[]")
    stay.outbox.put('{"op": 5}')
    stay.outbox.put(b"")
    stay.outbox.put(b"\0")
    for op, data in (
        (Op.SPEAKING, None),
        (Op.SPEAKING, {"user_id": "x", "ssrc": {}}),
        (Op.SESSION_DESCRIPTION, {**DESCRIPTION, "mode": "rot13"}),
        (Op.SESSION_DESCRIPTION, {**DESCRIPTION, "secret_key": [999]}),
        (Op.PREPARE_TRANSITION, {"protocol_version": None, "transition_id": 1}),
        (Op.PREPARE_EPOCH, {"protocol_version": "1", "epoch": 1}),
        (Op.HELLO, {"heartbeat_interval": None}),
    ):
        stay.send_json(op, data)
    for op in (Op.EXTERNAL_SENDER, Op.PROPOSALS):  # each would end discord.py's own connection
        stay.send_binary(op, b"nonsense")
    await scene.until(lambda: state.refused_messages >= 8)
    assert scene.session.interruptions == 0
    assert list(state.secret_key) == key
    await speaks(scene, ada)


async def test_a_commit_that_cannot_be_is_answered_with_a_new_start(scene: Any) -> None:
    await scene.start()
    ada = await scene.joined()
    room = scene.discord.voice.room(scene.voice.id)
    await room.wait_settled(2)
    stay_of(scene).send_binary(Op.ANNOUNCE_COMMIT, b"\0\x07nonsense")
    await scene.until(lambda: room.dave_counters.recoveries == 1)
    await room.wait_settled(2)
    await speaks(scene, ada)
