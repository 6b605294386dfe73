"""Who is deleted while the bot answers them is deleted: nothing of the answer is remembered, and it is not gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.conversation.turn import Prompt, PromptLine
from core.events import TurnEnded
from core.store.history import HistoryEntry

if TYPE_CHECKING:
    from core.conversation.turn import Turn

LONG = " ".join(f"Sentence number {number} for Ada." for number in range(200))


class Nowhere:
    async def update(self, text: str) -> None: ...

    async def finish(self, text: str) -> None: ...


def of(home, person, text: str, **more) -> Prompt:
    place = home.text.id, home.guild.id, home.text.id
    return Prompt(*place, person.user.id, person.user.name, text, **more)


async def asked(home, prompt: Prompt) -> Turn:
    turn = await home.runtime.conversation.submit(prompt, Nowhere())
    await home.until(lambda: turn.reply_text)
    return turn


async def test_what_is_being_answered_is_cut_and_never_remembered(scene):
    await scene.start()
    ada = await scene.person("Ada")
    ended = scene.events(TurnEnded)
    scene.chat.script(text=LONG, pace_s=0.02)
    turn = await asked(scene, of(scene, ada, "Tell me of Ada's secret."))
    waiting = await scene.runtime.conversation.submit(of(scene, ada, "And more."), Nowhere())
    assert "2 of your prompts wait" in " ".join(await scene.runtime.privacy.describe_person(ada.user.id))
    files = await scene.runtime.privacy.export_person(ada.user.id)
    assert b"secret" in files["prompts_under_way.json"]
    deletion = await scene.runtime.privacy.delete_person(ada.user.id)
    assert not deletion.failed
    assert "2 of your prompts" in " ".join(deletion.done)
    for each in (turn, waiting):
        await scene.runtime.conversation.finished(each)
    await scene.turns_over()
    assert turn.outcome == "stopped"
    assert await scene.runtime.history.newest(scene.text.id, 9) == []
    assert list(scene.runtime.conversation.recent) == []
    await scene.until(lambda: ended)
    assert [(event.reply_text, event.heard_text) for event in ended] == [("", "")]
    assert len(scene.chat.prompts) == 1  # what waited was not asked


async def test_an_answer_to_somebody_else_is_remembered_without_who_was_deleted(scene):
    await scene.start()
    ada, bo = await scene.person("Ada"), await scene.person("Bo")
    conversation, privacy = scene.runtime.conversation, scene.runtime.privacy
    before = HistoryEntry("t", "user", "hello", scene.runtime.clock.now(), ada.user.id, "Ada")
    await scene.runtime.history.add(scene.text.id, before)
    scene.chat.script(text=f"Ada ({ada.user.id}) is kind. " * 20, pace_s=0.01)
    turn = await asked(scene, of(scene, bo, "Is Ada kind?"))
    await privacy.delete_person(ada.user.id)
    await conversation.finished(turn)
    await scene.turns_over()
    lines = await scene.runtime.history.newest(scene.text.id, 9)
    assert [line.role for line in lines] == ["user", "assistant"]
    assert lines[0].content == "Is somebody kind?"
    for text in (lines[1].content, turn.reply_text, turn.prompt.text):
        assert "Ada" not in text
        assert str(ada.user.id) not in text
    assert conversation.recent[-1] is turn


async def test_a_name_stays_a_word_where_the_deleted_person_never_was(scene):
    await scene.start()
    ada, bo = await scene.person("Rose"), await scene.person("Bo")
    scene.chat.script(text="A Rose is a Rose. " * 10, pace_s=0.01)
    turn = await asked(scene, of(scene, bo, "What is a Rose?"))
    await scene.runtime.privacy.delete_person(ada.user.id, ["Rose"])
    await scene.runtime.conversation.finished(turn)
    lines = await scene.runtime.history.newest(scene.text.id, 9)
    assert lines[0].content == "What is a Rose?"


async def test_of_what_several_said_at_once_only_the_deleted_ones_words_go(scene):
    await scene.start()
    ada, bo = await scene.person("Ada"), await scene.person("Bo")
    spoken = (PromptLine(bo.user.id, "Bo", "Tea?"), PromptLine(ada.user.id, "Ada", "Coffee for me."))
    prompt = of(scene, ada, "Bo: Tea?\nAda: Coffee for me.", lines=spoken)
    scene.chat.script(text=LONG, pace_s=0.02)
    turn = await asked(scene, prompt)
    await scene.runtime.privacy.delete_person(ada.user.id)
    await scene.runtime.conversation.finished(turn)
    lines = await scene.runtime.history.newest(scene.text.id, 9)
    assert [(line.user_id, line.content) for line in lines] == [(bo.user.id, "Tea?")]
    scene.chat.script(text="Both, then.")
    turn = await asked(scene, prompt)  # and remembered as a whole, then deleted
    await scene.runtime.conversation.finished(turn)
    await scene.runtime.privacy.delete_person(ada.user.id)
    lines = await scene.runtime.history.newest(scene.text.id, 9)
    assert [(line.user_id, line.content) for line in lines] == [(bo.user.id, "Tea?")] * 2


async def test_what_is_asked_after_a_deletion_is_remembered(scene):
    await scene.start()
    ada = await scene.person("Ada")
    await scene.runtime.privacy.delete_person(ada.user.id)
    scene.chat.script(text="Good evening.")
    turn = await asked(scene, of(scene, ada, "Hello?"))
    await scene.runtime.conversation.finished(turn)
    assert len(await scene.runtime.history.newest(scene.text.id, 9)) == 2
