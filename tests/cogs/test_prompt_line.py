"""Prompts in line for the model: asked as they are when their turn comes, refused once when too many wait; posts of forums."""

from __future__ import annotations

from loopback.world.guilds import Channel, ChannelKind

LONG = " ".join(f"This is sentence number {number} of a very long story." for number in range(30))


async def test_what_is_deleted_or_edited_while_it_waits_is_asked_as_it_is_then(scene):
    await scene.start(prompt={"gather_idle_s": 0})
    ada = await scene.joined()
    scene.chat.script(text=LONG)
    await ada.type(scene.text, "Tell me a story.")
    await scene.until(lambda: scene.chat.requests)
    second = await ada.type(scene.text, "My password is swordfish.")
    third = await ada.type(scene.text, "I love you.")
    await scene.until(lambda: scene.runtime.conversation.waiting(scene.session) == 2)
    await ada.delete(second)
    await ada.edit(third, "I love tea.")
    assert await scene.run(ada, "voice skip") == "Skipped."
    await scene.turns_over()
    asked = [prompt[-1]["content"] for prompt in scene.chat.prompts]
    assert asked == ["Ada: Tell me a story.", "Ada: I love tea."]
    assert "swordfish" not in str(scene.chat.prompts)


async def test_what_is_deleted_while_it_is_gathered_is_not_asked(scene):
    await scene.start(prompt={"gather_idle_s": 0.5})
    ada = await scene.joined()
    gone = await ada.type(scene.text, "Not this.")
    await ada.delete(gone)
    await ada.type(scene.text, "But this.")
    await scene.until(lambda: scene.chat.requests)
    await scene.turns_over()
    assert [prompt[-1]["content"] for prompt in scene.chat.prompts] == ["Ada: But this."]


async def test_too_many_prompts_are_refused_in_one_word_once(scene):
    await scene.start(prompt={"gather_idle_s": 0, "queue_limit": 2})
    ada = await scene.joined()
    scene.chat.script(text=LONG)
    await ada.type(scene.text, "Tell me a story.")
    await scene.until(lambda: scene.chat.requests)
    for number in range(12):
        await ada.type(scene.text, f"Question {number}?")
    await scene.until(lambda: "prompts are waiting" in str([each.content for each in ada.history(scene.text)]))
    await scene.run(ada, "voice stop")
    await scene.turns_over()
    told = [each.content for each in ada.history(scene.text) if "prompts are waiting" in each.content]
    assert told == ["2 prompts are waiting already. Please let me answer those first, or use `/voice stop`."]


async def test_posts_of_a_forum_belong_to_it(scene):
    forum = scene.world.add_channel(scene.guild, ChannelKind.FORUM, "questions")
    other = scene.world.add_channel(scene.guild, ChannelKind.FORUM, "chatter")
    post, elsewhere = (
        scene.world.put_channel(
            Channel(scene.world.ids.next(), ChannelKind.THREAD, "post", scene.guild, parent=parent, owner_id=1)
        )
        for parent in (forum, other)
    )
    await scene.start(prompt={"gather_idle_s": 0, "channels": [forum.id]})
    ada = await scene.person()
    scene.chat.script(text="Here I am.")
    await ada.type(elsewhere, "Nobody asked you.")
    message = await ada.type(post, "Are you here?")
    assert (await scene.reply(ada, message)).content == "Here I am."
    assert [prompt[-1]["content"] for prompt in scene.chat.prompts] == ["Ada: Are you here?"]
