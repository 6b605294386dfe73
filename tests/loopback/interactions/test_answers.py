"""What an application answers, and who sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loopback.interactions.interaction import Callback
from loopback.world.messages import LOADING

if TYPE_CHECKING:
    from tests.loopback.interactions.conftest import Scene


async def test_a_command_is_answered_in_public(scene: Scene) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "say", text="hello")
    assert await interaction.response() is Callback.MESSAGE
    message = await interaction.answered()
    assert message.content == "hello"
    assert message.author is scene.standard.bot
    assert message.kind == 20
    assert message.interaction_metadata["name"] == "say"
    assert await scene.bob.wait_for_message(scene.standard.text) is message


async def test_an_ephemeral_answer_is_seen_by_nobody_else(scene: Scene) -> None:
    heard = []
    scene.loopback.world.on_event(lambda name, data, audience: heard.append(name))
    interaction = await scene.alice.slash(scene.standard.text, "whisper")
    message = await interaction.answered()
    assert message.is_ephemeral
    assert message.content == "psst"
    assert message.id not in scene.standard.text.messages
    assert "MESSAGE_CREATE" not in heard
    with pytest.raises(TimeoutError, match="nothing was written"):
        await scene.bob.wait_for_message(scene.standard.text, timeout=0.05)


@pytest.mark.parametrize("hidden", [False, True])
async def test_a_deferred_answer_fills_in_and_follow_ups_come_after(scene: Scene, hidden: bool) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "slow", hidden=hidden)
    assert await interaction.response() is Callback.DEFER
    assert interaction.thinking
    assert interaction.messages == []
    scene.bot.hold.set()
    first = await interaction.answered()
    assert first.content == "first"
    assert not first.flags & LOADING
    await interaction.wait_for(lambda message: message.content == "second, better")

    def passing_is_gone() -> bool | None:
        return (len(interaction.raw.messages) == 3 and interaction.raw.messages[2].deleted) or None

    await scene.loopback.interactions.bell.until(passing_is_gone, 5, "the third message to go", interaction.so_far)
    assert [message.content for message in interaction.messages] == ["first", "second, better"]
    assert {message.is_ephemeral for message in interaction.messages} == {hidden}
    assert bool(scene.standard.text.messages) is not hidden


async def test_a_follow_up_to_a_deferral_fills_it(scene: Scene) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "late")
    received = await scene.received()
    await received.response.defer(ephemeral=True)
    await received.followup.send("from the follow-up", ephemeral=False)
    (message,) = interaction.messages
    assert message is interaction.raw.original
    assert message.is_ephemeral
    scene.bot.hold.set()


async def test_files_are_served_back_and_can_be_replaced(scene: Scene) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "files")
    message = await interaction.wait_for(lambda message: message.edited_at is not None)
    assert [(file.filename, file.data) for file in message.attachments] == [("b.txt", b"defg")]


async def test_the_callback_answers_the_message_it_made(scene: Scene) -> None:
    await scene.alice.slash(scene.standard.text, "late")
    received = await scene.received()
    answer = await received.response.send_message("hi", ephemeral=True)
    assert answer.message_id == answer.resource.id
    assert answer.resource.content == "hi"
    assert answer.is_ephemeral()
    assert not answer.is_thinking()
    scene.bot.hold.set()


async def test_the_original_can_be_deleted(scene: Scene) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "say", text="oops")
    message = await interaction.answered()
    await scene.bot.interactions[0].delete_original_response()
    assert message.deleted
    assert interaction.messages == []


async def test_a_follow_up_can_be_ephemeral_where_the_answer_was_not(scene: Scene) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "say", text="for all")
    public = await interaction.answered()
    received = await scene.received()
    await received.followup.send("for you", ephemeral=True)
    assert [message.is_ephemeral for message in interaction.messages] == [False, True]
    assert interaction.messages[1].reply_to is public
    assert list(scene.standard.text.messages.values()) == [public]


async def test_commands_work_in_the_chat_of_a_voice_channel(scene: Scene) -> None:
    interaction = await scene.alice.slash(scene.standard.voice, "say", text="hello")
    assert (await interaction.answered()).channel is scene.standard.voice


async def test_without_a_running_bot_nobody_answers(scene: Scene) -> None:
    await scene.bot.close()
    interaction = await scene.alice.slash(scene.standard.text, "say", text="anyone?")
    with pytest.raises(TimeoutError, match="a response of parley to /say; instead: no response yet"):
        await interaction.response(timeout=0.05)
