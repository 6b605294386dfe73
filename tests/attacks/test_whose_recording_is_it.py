"""The promise: a recording is seen by who sees its channel and has the right there, and by nobody else."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from core.recording import service
from loopback.world.permissions import Permission
from tests.attacks.brought_in import bring_in

if TYPE_CHECKING:
    from loopback.people.person import Person

COGS = ("cogs.voice", "cogs.recorder", "cogs.recordings")
MANAGE, VIEW = Permission.MANAGE_CHANNELS, Permission.VIEW_CHANNEL


class Place:
    """A server with an open lounge and a secret council, a recording of each."""

    def __init__(self, scene: Any) -> None:
        self.scene, self.world, self.guild = scene, scene.world, scene.guild
        self.lounge = scene.voice
        self.council = self.world.add_voice_channel(self.guild, "Council")
        everyone = self.guild.roles[self.guild.id]
        self.world.set_overwrite(self.council, everyone, deny=VIEW)
        root = scene.folder / "data" / "recordings"
        bring_in(root, "aaaa", guild_id=self.guild.id, channel_id=self.lounge.id, channel_name="Lounge")
        bring_in(root, "bbbb", guild_id=self.guild.id, channel_id=self.council.id, channel_name="Council", day=1)

    async def start(self, **settings: Any) -> None:
        await self.scene.start(cogs=COGS, model=False, recording={"min_free_mb": 1, **settings})

    async def offered(self, person: Person) -> set[str]:
        found: set[str] = set()
        for command in ("get", "export", "delete"):
            choices = await person.autocomplete(self.scene.text, f"recordings {command}", "recording", "")
            found |= {choice["value"] for choice in choices}
        return found

    async def can_use(self, person: Person, recording_id: str) -> set[str]:
        """Which commands hand out or delete a recording; it is not deleted by the asking if they may not."""
        allowed: set[str] = set()
        for command in ("get", "export", "delete"):
            interaction = await person.slash(self.scene.text, f"recordings {command}", recording=recording_id)
            said = await interaction.answered()
            refused = "Manage Channels" in said.content or "no such recording" in said.content
            assert refused != bool(said.attachments or "Deleted" in said.content), said.content
            if not refused:
                allowed.add(command)
        return allowed


@pytest.fixture
def place(scene: Any) -> Place:
    return Place(scene)


async def test_manage_channel_in_some_other_channel_opens_no_recording(place: Place) -> None:
    await place.start()
    mallory = await place.scene.person("Mallory")
    place.world.set_overwrite(place.scene.text, mallory.user, allow=MANAGE)  # she asks from there, too
    assert await place.offered(mallory) == set()
    assert "Manage Channels" in await place.scene.run(mallory, "recordings list")
    assert await place.can_use(mallory, "aaaa") == set()
    assert await place.can_use(mallory, "bbbb") == set()


async def test_manage_channel_in_the_recorded_channel_opens_its_recordings_only(place: Place) -> None:
    await place.start()
    host = await place.scene.person("Host")
    place.world.set_overwrite(place.lounge, host.user, allow=MANAGE)
    assert await place.offered(host) == {"aaaa"}
    listed = await place.scene.run(host, "recordings list")
    assert "aaaa" in listed
    assert "bbbb" not in listed
    assert await place.can_use(host, "bbbb") == set()
    assert await place.can_use(host, "aaaa") == {"get", "export", "delete"}


async def test_who_manages_all_channels_still_needs_to_see_the_recorded_one(place: Place) -> None:
    await place.start()
    role = place.world.add_role(place.guild, "moderators", MANAGE)
    moderator = await place.scene.person("Moderator", roles=[role])
    assert await place.offered(moderator) == {"aaaa"}
    assert "bbbb" not in await place.scene.run(moderator, "recordings list")
    hidden = await place.scene.run(moderator, "recordings get", recording="bbbb")
    assert hidden == await place.scene.run(moderator, "recordings get", recording="nonsense")
    place.world.set_overwrite(place.council, role, allow=VIEW)
    assert await place.offered(moderator) == {"aaaa", "bbbb"}
    assert await place.can_use(moderator, "bbbb") == {"get", "export", "delete"}


async def test_a_role_of_the_configuration_still_needs_to_see_the_recorded_channel(place: Place) -> None:
    role = place.world.add_role(place.guild, "recorders", Permission(0))
    await place.start(roles=[role.id])
    recorder = await place.scene.person("Recorder", roles=[role])
    assert await place.offered(recorder) == {"aaaa"}
    assert await place.can_use(recorder, "bbbb") == set()


async def test_a_deleted_channel_leaves_its_recordings_to_who_manages_and_sees_all(place: Place) -> None:
    role = place.world.add_role(place.guild, "recorders", Permission(0))
    await place.start(roles=[role.id])
    recorder = await place.scene.person("Recorder", roles=[role])
    host = await place.scene.person("Host")
    place.world.set_overwrite(place.council, host.user, allow=MANAGE | VIEW)
    place.world.set_overwrite(place.scene.text, host.user, allow=MANAGE)
    admin = await place.scene.person("Admin", roles=[place.scene.admin_role])
    assert await place.offered(host) == {"bbbb"}
    place.world.delete_channel(place.council)
    await place.scene.until(lambda: place.scene.bot.get_channel(place.council.id) is None)
    assert await place.offered(host) == set()
    assert await place.offered(recorder) == {"aaaa"}
    assert await place.can_use(host, "bbbb") == set()
    assert await place.can_use(admin, "bbbb") == {"get", "export", "delete"}


async def recorded_on_the_move(place: Place, *channels: Any) -> str:
    """A recording that began in the lounge and went through these channels; under way still."""
    await place.start()
    ada = await place.scene.person("Ada", roles=[place.scene.admin_role])
    await ada.join(place.lounge)
    assert "Recording" in await place.scene.run(ada, "voice record")
    recordings = place.scene.runtime.recordings
    recording_id = recordings.live(place.guild.id).id
    for channel in channels:
        place.world.voice.move(place.guild, place.scene.bot_user.id, channel)
        await place.scene.until(lambda channel=channel: place.scene.session.channel.id == channel.id)
        await place.scene.until(lambda channel=channel: channel.id in recordings.archive.find(recording_id).channel_ids)
    return recording_id


@pytest.mark.parametrize("when", ["under way", "finished", "after a restart", "index lost"])
async def test_a_recording_that_was_moved_needs_the_right_in_every_channel_it_holds_sound_of(
    place: Place, when: str
) -> None:
    role = place.world.add_role(place.guild, "moderators", MANAGE)
    moved = await recorded_on_the_move(place, place.council, place.lounge)
    if when != "under way":
        await place.scene.runtime.recordings.stop(place.guild.id, "Enough.")
        await place.scene.runtime.recordings.rendered(moved)
    if when in ("after a restart", "index lost"):
        await place.scene.bot.close()
        for file in place.scene.folder.glob("parley.db*") if when == "index lost" else ():
            file.unlink()
        await place.start()
    moderator = await place.scene.person("Moderator", roles=[role])
    assert await place.offered(moderator) == {"aaaa"}
    assert moved not in await place.scene.run(moderator, "recordings list")
    hidden = await place.scene.run(moderator, "recordings get", recording=moved)
    assert hidden == await place.scene.run(moderator, "recordings get", recording="nonsense")
    place.world.set_overwrite(place.council, role, allow=VIEW)
    assert moved in await place.offered(moderator)


async def test_a_bot_that_is_moved_while_its_recording_begins_needs_the_right_there_as_well(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved, asked, make_folder = threading.Event(), threading.Event(), service.make_folder

    def slow(*given: Any) -> Any:
        asked.set()
        assert moved.wait(20)
        return make_folder(*given)

    await place.start()
    monkeypatch.setattr(service, "make_folder", slow)
    ada = await place.scene.person("Ada", roles=[place.scene.admin_role])
    await ada.join(place.lounge)
    started = asyncio.create_task(place.scene.run(ada, "voice record"))
    await place.scene.until(asked.is_set)
    place.world.voice.move(place.guild, place.scene.bot_user.id, place.council)
    await place.scene.until(lambda: place.scene.session.channel.id == place.council.id)
    moved.set()
    await started
    recordings = place.scene.runtime.recordings
    live = recordings.live(place.guild.id)
    assert recordings.archive.find(live.id).channel_ids == (place.lounge.id, place.council.id)


async def test_another_server_sees_nothing(place: Place) -> None:
    await place.start()
    elsewhere = place.world.add_guild("Elsewhere", place.world.add_user("Owner"))
    text = place.world.add_text_channel(elsewhere, "general")
    place.world.add_member(elsewhere, place.scene.bot_user)
    boss = await place.scene.discord.person(
        "Boss", elsewhere, roles=[place.world.add_role(elsewhere, "all", Permission.ADMINISTRATOR)]
    )
    async with boss:
        for command in ("get", "export", "delete"):
            assert await boss.autocomplete(text, f"recordings {command}", "recording", "") == []
            said = await (await boss.slash(text, f"recordings {command}", recording="aaaa")).answered()
            assert "no such recording" in said.content


async def test_recording_needs_the_right_in_the_channel_that_is_recorded(place: Place) -> None:
    await place.start()
    mallory = await place.scene.person("Mallory")
    place.world.set_overwrite(place.scene.text, mallory.user, allow=MANAGE)
    await mallory.join(place.lounge)
    assert "Manage Channels" in await place.scene.run(mallory, "voice record")
    place.world.set_overwrite(place.lounge, mallory.user, allow=MANAGE)
    assert "Recording" in await place.scene.run(mallory, "voice record")
    place.world.remove_overwrite(place.lounge, mallory.user.id)
    for action in ("pause", "resume", "stop"):
        assert "Manage Channels" in await place.scene.run(mallory, "voice record", action=action)
    panel = await mallory.wait_for_message(place.scene.text, lambda m: "Recording" in m.content, 5)
    for button in ("Stop", "Pause", "Note"):
        assert "Manage Channels" in (await (await mallory.press(panel, button)).answered()).content
