"""People write, read and react as their client lets them."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import pytest

from loopback.people.refused import Refused
from loopback.world import Permission
from loopback.world.messages import SUPPRESS_NOTIFICATIONS

if TYPE_CHECKING:
    from loopback.world import Message
    from tests.loopback.people.conftest import Room


async def test_what_one_types_the_other_reads(room: Room) -> None:
    typed = await room.alice.type(room.standard.text, "hello")
    assert await room.bob.wait_for_message(room.standard.text) is typed
    assert (typed.content, typed.author) == ("hello", room.alice.user)


async def test_messages_are_read_once_and_in_order(room: Room) -> None:
    for text in ("one", "two", "three"):
        await room.alice.type(room.standard.text, text)

    def says_two(message: Message) -> bool:
        return message.content == "two"

    assert (await room.bob.wait_for_message(room.standard.text, says_two)).content == "two"
    assert (await room.bob.wait_for_message(room.standard.text)).content == "three"
    with pytest.raises(TimeoutError):
        await room.bob.wait_for_message(room.standard.text, timeout=0.01)


async def test_a_wait_in_vain_says_what_came_instead(room: Room) -> None:
    await room.alice.type(room.standard.text, "something else")
    with pytest.raises(TimeoutError, match=r"a message in #general for bob.*alice: 'something else'"):
        await room.bob.wait_for_message(room.standard.text, lambda _: False, timeout=0.01)


async def test_own_messages_are_not_waited_for(room: Room) -> None:
    await room.alice.type(room.standard.text, "echo")
    with pytest.raises(TimeoutError):
        await room.alice.wait_for_message(room.standard.text, timeout=0.01)


async def test_a_hidden_channel_shows_nothing(room: Room) -> None:
    world, guild = room.loopback.world, room.standard.guild
    hidden = world.add_text_channel(guild, "hidden")
    world.set_overwrite(hidden, guild.everyone, deny=Permission.VIEW_CHANNEL)
    world.set_overwrite(hidden, room.alice.user, allow=Permission.VIEW_CHANNEL)
    message = await room.alice.type(hidden, "secret")
    with pytest.raises(TimeoutError, match="hidden from this person"):
        await room.bob.wait_for_message(hidden, timeout=0.01)
    assert room.bob.history(hidden) == []
    assert room.alice.history(hidden) == [message]
    with pytest.raises(Refused, match="does not see"):
        await room.bob.react(message, "👍")
    with pytest.raises(Refused, match="VIEW_CHANNEL"):
        await room.bob.type(hidden, "let me in")


async def test_a_reply_refers_and_pings_unless_it_shall_not(room: Room) -> None:
    first = await room.alice.type(room.standard.text, "question")
    loud = await room.bob.type(room.standard.text, "answer", reply_to=first)
    quiet = await room.bob.type(room.standard.text, "answer", reply_to=first, ping=False)
    assert loud.reply_to is first
    assert loud.pings.users == [room.alice.user]
    assert quiet.pings.users == []


async def test_files_come_along(room: Room) -> None:
    message = await room.alice.type(room.standard.text, "", attachments=[("a.txt", b"abc", "text/plain")])
    (file,) = message.attachments
    assert (file.filename, file.data, file.content_type) == ("a.txt", b"abc", "text/plain")


@pytest.mark.parametrize("text", ["hush", "@silent hush"])
async def test_silent_messages_carry_the_flag(room: Room, text: str) -> None:
    message = await room.alice.type(room.standard.text, text, silent=not text.startswith("@"))
    assert message.content == "hush"
    assert message.flags & SUPPRESS_NOTIFICATIONS


@pytest.mark.parametrize(("text", "says"), [("", "empty"), ("  \n", "empty"), ("a" * 2001, "2000")])
async def test_what_no_client_sends_is_refused(room: Room, text: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        await room.alice.type(room.standard.text, text)


async def test_permissions_and_timeouts_are_kept(room: Room) -> None:
    world, guild, text = room.loopback.world, room.standard.guild, room.standard.text
    world.set_overwrite(text, room.bob.user, deny=Permission.SEND_MESSAGES)
    with pytest.raises(Refused, match="SEND_MESSAGES"):
        await room.bob.type(text, "hello")
    world.set_overwrite(text, room.alice.user, deny=Permission.ATTACH_FILES)
    with pytest.raises(Refused, match="ATTACH_FILES"):
        await room.alice.type(text, "hello", attachments=[("a.txt", b"a")])
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    world.edit_member(guild, guild.members[room.alice.user.id], timed_out_until=until)
    with pytest.raises(Refused, match="timed out"):
        await room.alice.type(text, "hello")


async def test_edits_are_seen_and_only_own_messages_can_be_edited(room: Room) -> None:
    message = await room.alice.type(room.standard.text, "teh")
    with pytest.raises(Refused, match="own"):
        await room.bob.edit(message, "the")
    with pytest.raises(TimeoutError, match="it says 'teh'"):
        await room.bob.wait_for_edit(message, timeout=0.01)
    await room.alice.edit(message, "the")
    assert (await room.bob.wait_for_edit(message, lambda message: message.content == "the")) is message


async def test_only_own_messages_can_be_deleted_without_manage_messages(room: Room) -> None:
    message = await room.alice.type(room.standard.text, "oops")
    with pytest.raises(Refused, match="MANAGE_MESSAGES"):
        await room.bob.delete(message)
    await room.alice.delete(message)
    assert message.deleted
    assert room.bob.history(room.standard.text) == []
    with pytest.raises(Refused, match="deleted"):
        await room.bob.react(message, "👍")


async def test_reactions_come_and_go(room: Room) -> None:
    message = await room.alice.type(room.standard.text, "nice?")
    await room.bob.react(message, "👍")
    assert await room.alice.wait_for_reaction(message) == "👍"
    await room.bob.unreact(message, "👍")
    assert message.reactions == {}
    with pytest.raises(Refused, match="has not reacted"):
        await room.bob.unreact(message, "👍")
    with pytest.raises(TimeoutError, match="a reaction 🎉"):
        await room.alice.wait_for_reaction(message, "🎉", timeout=0.01)


async def test_people_write_to_each_other_directly(room: Room) -> None:
    channel = room.alice.dm(room.bob.user)
    assert channel is room.bob.dm(room.alice.user)
    message = await room.alice.type(channel, "psst")
    assert await room.bob.wait_for_message(channel) is message
    stranger = room.loopback.world.add_user("stranger")
    with pytest.raises(Refused, match="share no guild"):
        room.alice.dm(stranger)
