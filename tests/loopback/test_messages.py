"""Messages, both ways, through an unmodified discord.py."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import discord
import pytest

from loopback.people.clients import Listening, client_options, running
from loopback.world import Draft, Permission, Upload

if TYPE_CHECKING:
    from loopback.server import Loopback, Standard
    from loopback.world import User


async def test_messages_arrive_in_both_directions(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    quiet.world.messages.create(usual.text, friend, "hello there")
    heard = await bot.heard("message")
    assert (heard.content, heard.author.display_name, heard.channel.id) == ("hello there", "Friend", usual.text.id)
    sent = await heard.channel.send("hello yourself")
    assert usual.text.messages[sent.id].content == "hello yourself"
    assert sent.author == bot.user


async def test_voice_channels_have_a_chat(bot: Listening, usual: Standard) -> None:
    sent = await bot.get_channel(usual.voice.id).send("in here")
    assert usual.voice.messages[sent.id].content == "in here"


async def test_edits_and_deletes_are_seen(bot: Listening, quiet: Loopback, usual: Standard, friend: User) -> None:
    message = quiet.world.messages.create(usual.text, friend, "one")
    await bot.heard("message")
    quiet.world.messages.edit(message, {"content": "two"})
    before, after = await bot.heard("message_edit")
    assert (before.content, after.content) == ("one", "two")
    quiet.world.messages.delete(message)
    assert (await bot.heard("message_delete")).id == message.id


async def test_an_own_message_grows_by_edits_and_remembers_each(bot: Listening, usual: Standard) -> None:
    channel = bot.get_channel(usual.text.id)
    sent = await channel.send("a")
    await sent.edit(content="a b")
    await sent.edit(content="a b c", embed=discord.Embed(title="done"))
    kept = usual.text.messages[sent.id]
    assert [revision.content for revision in kept.revisions] == ["a", "a b", "a b c"]
    assert kept.edited_at is not None
    assert (await channel.fetch_message(sent.id)).embeds[0].title == "done"
    await sent.delete()
    with pytest.raises(discord.NotFound) as refusal:
        await channel.fetch_message(sent.id)
    assert refusal.value.code == 10008


async def test_a_foreign_message_cannot_be_edited(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    quiet.world.messages.create(usual.text, friend, "mine")
    heard = await bot.heard("message")
    with pytest.raises(discord.Forbidden) as refusal:
        await heard.edit(content="yours")
    assert refusal.value.code == 50005


async def test_attachments_come_back_by_url_with_type_and_size(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    data = bytes(range(256)) * 100
    files = [discord.File(io.BytesIO(data), "a b.ogg", description="a sound"), discord.File(io.BytesIO(b"x"), "t.txt")]
    sent = await bot.get_channel(usual.text.id).send("listen", files=files)
    first, second = sent.attachments
    assert (first.size, first.content_type, first.description) == (len(data), "audio/ogg", "a sound")
    assert second.content_type == "text/plain"
    assert await first.read() == data
    quiet.world.messages.create(usual.text, friend, Draft(uploads=(Upload("voice.wav", data, "audio/x-wav"),)))
    heard = await bot.heard("message", lambda message: message.author.id == friend.id)
    assert heard.attachments[0].content_type == "audio/x-wav"
    assert await heard.attachments[0].read() == data


async def test_attachments_can_be_added_and_dropped_by_an_edit(bot: Listening, usual: Standard) -> None:
    sent = await bot.get_channel(usual.text.id).send("one", file=discord.File(io.BytesIO(b"1"), "1.txt"))
    edited = await sent.edit(attachments=[*sent.attachments, discord.File(io.BytesIO(b"2"), "2.txt")])
    assert [attachment.filename for attachment in edited.attachments] == ["1.txt", "2.txt"]
    edited = await edited.edit(attachments=[edited.attachments[1]])
    assert await edited.attachments[0].read() == b"2"


async def test_an_upload_over_the_limit_is_refused(bot: Listening, usual: Standard) -> None:
    with pytest.raises(discord.HTTPException) as refusal:
        await bot.get_channel(usual.text.id).send(file=discord.File(io.BytesIO(b"\0" * (10 * 1024 * 1024 + 1)), "big"))
    assert (refusal.value.status, refusal.value.code) == (413, 40005)
    assert not usual.text.messages
    sent = await bot.get_channel(usual.text.id).send(file=discord.File(io.BytesIO(b"\0" * (10 * 1024 * 1024)), "fits"))
    assert sent.attachments[0].size == 10 * 1024 * 1024


async def test_bodies_are_checked_as_discord_checks_them(bot: Listening, usual: Standard) -> None:
    channel = bot.get_channel(usual.text.id)
    with pytest.raises(discord.HTTPException) as refusal:
        await channel.send("x" * 2001)
    assert (refusal.value.status, refusal.value.code) == (400, 50035)
    assert "Must be 2000 or fewer in length." in str(refusal.value)
    with pytest.raises(discord.HTTPException) as refusal:
        await channel.send("  \n ")
    assert refusal.value.code == 50006
    with pytest.raises(discord.HTTPException) as refusal:
        await channel.send(embed=discord.Embed(description="x" * 4097))
    assert "description" in str(refusal.value)
    await channel.send("x" * 2000)


async def test_replies_carry_the_message_they_answer(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    quiet.world.messages.create(usual.text, friend, "question")
    heard = await bot.heard("message")
    reply = await heard.reply("answer")
    assert reply.reference.resolved.content == "question"
    assert usual.text.messages[reply.id].pings.users == [friend]
    silent = await heard.reply("answer", mention_author=False)
    assert not usual.text.messages[silent.id].pings
    quiet.world.messages.delete(usual.text.messages[heard.id])
    with pytest.raises(discord.HTTPException) as refusal:
        await heard.reply("too late")
    assert refusal.value.code == 50035


async def test_pings_are_those_that_allowed_mentions_let_through(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    channel = bot.get_channel(usual.text.id)
    role = quiet.world.add_role(usual.guild, "crew")
    text = f"@everyone {role.mention} {friend.mention}"
    loud = usual.text.messages[(await channel.send(text)).id]
    assert (loud.pings.everyone, loud.pings.roles, loud.pings.users) == (True, [role], [friend])
    muted = await channel.send(text, allowed_mentions=discord.AllowedMentions.none())
    assert not usual.text.messages[muted.id].pings
    assert muted.mentions == []
    assert not muted.mention_everyone
    only = discord.AllowedMentions(everyone=False, roles=False, users=[discord.Object(friend.id)])
    chosen = usual.text.messages[(await channel.send(text, allowed_mentions=only)).id]
    assert (chosen.pings.everyone, chosen.pings.roles, chosen.pings.users) == (False, [], [friend])


async def test_people_without_permission_cannot_ping_everyone(quiet: Loopback, usual: Standard, friend: User) -> None:
    assert not quiet.world.messages.create(usual.text, friend, "@everyone @here").pings


async def test_silent_messages_are_flagged(bot: Listening, usual: Standard) -> None:
    sent = await bot.get_channel(usual.text.id).send("psst", silent=True)
    assert sent.flags.suppress_notifications


async def test_history_pages_in_every_direction(bot: Listening, quiet: Loopback, usual: Standard, friend: User) -> None:
    posted = [quiet.world.messages.create(usual.text, friend, str(number)) for number in range(250)]
    channel = bot.get_channel(usual.text.id)
    assert [m.content async for m in channel.history(limit=3)] == ["249", "248", "247"]
    everything = [int(m.content) async for m in channel.history(limit=None, oldest_first=True)]
    assert everything == list(range(250))
    middle = discord.Object(posted[100].id)
    assert [m.content async for m in channel.history(limit=2, before=middle)] == ["99", "98"]
    assert [m.content async for m in channel.history(limit=2, after=middle)] == ["101", "102"]
    assert {m.content async for m in channel.history(limit=3, around=middle)} == {"99", "100", "101"}


async def test_many_messages_are_deleted_at_once(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    for number in range(5):
        quiet.world.messages.create(usual.text, friend, str(number))
    deleted = await bot.get_channel(usual.text.id).purge(limit=4)
    assert len(deleted) == 4
    assert [message.content for message in usual.text.messages.values()] == ["0"]


async def test_reactions_are_added_counted_and_taken_away(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    channel = bot.get_channel(usual.text.id)
    message = quiet.world.messages.create(usual.text, friend, "good?")
    heard = await bot.heard("message")
    await heard.add_reaction("👍")
    await heard.add_reaction("<:custom:123456789012345678>")
    quiet.world.messages.react(message, friend, "👍")
    reaction, user = await bot.heard("reaction_add", lambda reaction, user: user.id == friend.id)
    assert (str(reaction), user.name) == ("👍", "friend")
    fetched = await channel.fetch_message(message.id)
    assert [(str(one.emoji), one.count, one.me) for one in fetched.reactions] == [
        ("👍", 2, True),
        ("<:custom:123456789012345678>", 1, True),
    ]
    assert {user.id async for user in fetched.reactions[0].users()} == {bot.user.id, friend.id}
    await fetched.remove_reaction("👍", bot.user)
    await fetched.clear_reaction("👍")
    assert [emoji.name for emoji in message.reactions] == ["custom"]
    await fetched.clear_reactions()
    assert not message.reactions
    with pytest.raises(discord.HTTPException) as refusal:
        await fetched.add_reaction("notanemoji")
    assert refusal.value.code == 10014


async def test_pins_are_listed_newest_first(bot: Listening, usual: Standard) -> None:
    channel = bot.get_channel(usual.text.id)
    first, second = await channel.send("first"), await channel.send("second")
    await first.pin()
    await second.pin()
    assert [message.content async for message in channel.pins()] == ["second", "first"]
    await second.unpin()
    assert [message.content async for message in channel.pins()] == ["first"]
    await bot.heard("guild_channel_pins_update")


async def test_typing_is_seen(bot: Listening, quiet: Loopback, usual: Standard, friend: User) -> None:
    quiet.world.messages.type(usual.text, friend)
    channel, user, _ = await bot.heard("typing")
    assert (channel.id, user.id) == (usual.text.id, friend.id)
    async with bot.get_channel(usual.text.id).typing():
        await bot.heard("typing", lambda channel, user, when: user.id == bot.user.id)


async def test_direct_messages_go_both_ways(bot: Listening, quiet: Loopback, friend: User) -> None:
    sent = await (await bot.fetch_user(friend.id)).send("psst")
    direct = quiet.world.channels[sent.channel.id]
    assert [message.content for message in direct.messages.values()] == ["psst"]
    quiet.world.messages.create(direct, friend, "yes?")
    heard = await bot.heard("message", lambda message: message.author.id == friend.id)
    assert heard.guild is None
    assert isinstance(heard.channel, discord.DMChannel)
    assert [message.content async for message in heard.channel.history(oldest_first=True)] == ["psst", "yes?"]


async def test_a_first_direct_message_from_a_person_reaches_the_bot(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    direct = quiet.world.direct_channel(friend, usual.bot)
    quiet.world.messages.create(direct, friend, "hello bot")
    assert (await bot.heard("message")).content == "hello bot"


async def test_a_person_can_refuse_direct_messages(bot: Listening, friend: User) -> None:
    friend.accepts_direct_messages = False
    with pytest.raises(discord.Forbidden) as refusal:
        await (await bot.fetch_user(friend.id)).send("psst")
    assert refusal.value.code == 50007


async def test_webhooks_post_under_any_name(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    channel = bot.get_channel(usual.text.id)
    webhook = await channel.create_webhook(name="contrary")
    sent = await webhook.send("I disagree.", username="Nemesis", wait=True)
    assert (sent.author.display_name, sent.webhook_id) == ("Nemesis", webhook.id)
    heard = await bot.heard("message")
    assert heard.author.bot
    assert heard.author.id == webhook.id
    await sent.edit(content="I agree.")
    assert usual.text.messages[sent.id].content == "I agree."
    assert [one.name for one in await channel.webhooks()] == ["contrary"]
    await sent.delete()
    assert not usual.text.messages
    await webhook.delete()
    with pytest.raises(discord.NotFound) as refusal:
        await webhook.send("gone")
    assert refusal.value.code == 10015


async def test_threads_hold_messages(bot: Listening, usual: Standard) -> None:
    message = await bot.get_channel(usual.text.id).send("start")
    thread = await message.create_thread(name="aside")
    sent = await thread.send("in the thread")
    heard = await bot.heard("message", lambda message: message.id == sent.id)
    assert heard.channel.id == thread.id == message.id
    assert heard.channel.parent_id == usual.text.id
    await thread.delete()
    assert (await bot.heard("thread_delete")).id == thread.id
    assert thread.id not in usual.guild.channels


async def test_without_the_content_intent_only_what_concerns_the_bot_is_readable(
    quiet: Loopback, usual: Standard, friend: User
) -> None:
    intents = discord.Intents.default()
    async with running(Listening(**client_options(quiet, intents)), usual.bot.token) as client:
        create = quiet.world.messages.create
        create(usual.text, friend, Draft("secret", uploads=(Upload("a.txt", b"a"),)))
        create(usual.text, friend, f"{usual.bot.mention} for you")
        create(quiet.world.direct_channel(friend, usual.bot), friend, "private")
        create(usual.text, usual.bot, "own")
        await client.heard("message", lambda message: message.content == "own")
        heard = client.all_heard("message")
        assert [message.content for message in heard] == ["", f"{usual.bot.mention} for you", "private", "own"]
        assert heard[0].attachments == []
        usual.bot.application.privileged = frozenset()
        fetched = [message.content async for message in client.get_channel(usual.text.id).history()]
        assert fetched == ["own", f"{usual.bot.mention} for you", ""]


async def test_without_the_message_intent_no_message_comes(quiet: Loopback, usual: Standard, friend: User) -> None:
    intents = discord.Intents(guilds=True, dm_messages=True)
    async with running(Listening(**client_options(quiet, intents)), usual.bot.token) as client:
        quiet.world.messages.create(usual.text, friend, "unheard")
        quiet.world.messages.create(quiet.world.direct_channel(friend, usual.bot), friend, "heard")
        await client.heard("message")
        assert [message.content for message in client.all_heard("message")] == ["heard"]


async def test_messages_of_hidden_channels_stay_hidden(quiet: Loopback, usual: Standard, friend: User) -> None:
    secret = quiet.world.add_text_channel(usual.guild, "secret")
    quiet.world.set_overwrite(secret, usual.guild.everyone, deny=Permission.VIEW_CHANNEL)
    async with running(Listening(**client_options(quiet)), friend.token) as client:
        quiet.world.messages.create(secret, usual.bot, "for administrators")
        quiet.world.messages.create(usual.text, usual.bot, "for all")
        await client.heard("message")
        assert [message.content for message in client.all_heard("message")] == ["for all"]
        with pytest.raises(discord.Forbidden) as refusal:
            await client.get_channel(secret.id).send("let me in")
        assert refusal.value.code == 50001
