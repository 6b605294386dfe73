"""What happens to the bot while it records is told at once, and stands in the recording with its times."""

from __future__ import annotations

from typing import Any

from core.recording.gap_tracker import DEAFENED as NOBODY_HEARD
from core.recording.gap_tracker import ENCRYPTED as NOTED_ENCRYPTED
from core.recording.gap_tracker import SILENCED
from core.recording.gap_tracker import UNENCRYPTED as NOTED_UNENCRYPTED
from core.voice.session import DEAFENED, ENCRYPTED, UNDEAFENED, UNENCRYPTED
from tests.cogs.test_recorder import live, recording, tone


async def finished(scene: Any, person: Any) -> Any:
    recording_id = live(scene).id
    await scene.run(person, "voice record", action="stop")
    return await scene.runtime.recordings.rendered(recording_id)


async def test_a_bot_that_is_deafened_says_so_at_once_and_the_recording_has_the_gap(scene: Any) -> None:
    ada = await recording(scene)
    me = scene.guild.members[scene.bot_user.id]
    scene.world.edit_member(scene.guild, me, deafened=True)
    await scene.until(lambda: DEAFENED in scene.notices())
    scene.world.edit_member(scene.guild, me, deafened=False, muted=True)
    await scene.until(lambda: UNDEAFENED in scene.notices())
    scene.world.edit_member(scene.guild, me, muted=False)
    await scene.until(lambda: not scene.session.silenced)
    await scene.run(ada, "voice record", action="note", text="so that it is kept")
    everybody, own = (await finished(scene, ada)).gaps
    assert (everybody.user_id, own.user_id) == (None, str(scene.bot_user.id))
    assert (everybody.reason, own.reason) == (NOBODY_HEARD, SILENCED)
    assert 0 < everybody.start_s < everybody.start_s + everybody.duration_s <= own.start_s + 0.01
    assert own.duration_s > 0


async def test_end_to_end_encryption_that_goes_off_is_told_to_people_and_noted(scene: Any) -> None:
    ada = await recording(scene)
    room = scene.discord.voice.room(scene.voice.id)
    await room.wait_settled(2)
    written = live(scene).folder / "metadata.json"
    await scene.until(lambda: written.exists() and "DAVE 1" in written.read_text())
    room.set_protocol_version(0)
    await scene.until(lambda: UNENCRYPTED in scene.notices())
    room.set_protocol_version(1)
    await scene.until(lambda: ENCRYPTED in scene.notices())
    found = await finished(scene, ada)
    assert found.encryption.end_to_end == ""
    off, on = found.notes
    assert 0 < off.at_s < on.at_s < found.duration_s
    assert (off.text, on.text) == (NOTED_UNENCRYPTED, NOTED_ENCRYPTED)


async def test_who_comes_for_a_moment_is_known_by_name(scene: Any) -> None:
    ada = await recording(scene)
    bo = await scene.person("Bo")
    await bo.join(scene.voice)
    await bo.play(tone(0.1))
    await bo.leave()
    await scene.until(lambda: live(scene).heard())
    (person,) = [person for person in (await finished(scene, ada)).people if not person.bot]
    assert person.name == "Bo"
