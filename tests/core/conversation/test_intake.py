"""Whom a prompt addresses, who may ask, and who answers: the same rules for what is written and for what is said."""

from __future__ import annotations

from types import SimpleNamespace as Shape

import pytest

from core.config.hearing import HearingSection
from core.config.prompt import PromptSection
from core.conversation.asked import Asked, Author
from core.conversation.intake import Doors, Intake
from core.conversation.turn import Prompt, PromptLine

GUILD, TEXT_CHANNEL, VOICE_CHANNEL, OTHER, THREAD = 1, 10, 11, 12, 13
ADA, BO, BOT = 100, 101, 102
COOKS = 7


class Place:
    """Keeps what was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.acknowledged = 0

    def sink(self) -> None:
        raise AssertionError("nothing is answered here")

    async def tell(self, sentence: str) -> None:
        self.told.append(sentence)

    async def acknowledge(self) -> None:
        self.acknowledged += 1


def intake(*, model: bool = True, session: bool = False, prompt=None, hearing=None, kept=None, clock=None) -> Intake:
    """An intake without Discord; in a session Ada is in the bot's channel, which takes its prompts from TEXT_CHANNEL."""
    here = Shape(channel=Shape(id=VOICE_CHANNEL, voice_states={ADA: object()}), prompt_channel_id=TEXT_CHANNEL)

    async def allows(message: object) -> bool:
        if kept is not None:
            kept.append(message)
        return kept is None

    voice = Shape(
        session=lambda guild_id: here if session and guild_id == GUILD else None,
        session_of_prompt_channel=lambda place: here if session and place in (TEXT_CHANNEL, VOICE_CHANNEL) else None,
    )
    made = Intake(
        PromptSection(**(prompt or {})),
        HearingSection(**(hearing or {})),
        conversation=Shape(has_model=model),  # type: ignore[arg-type] - the rules ask no more of it
        voice=voice,  # type: ignore[arg-type]
        settings=None,  # type: ignore[arg-type]
        doors=Doors(allows, lambda _: kept is not None),
        clock=clock,  # type: ignore[arg-type]
    )
    made.listen_to(GUILD, OTHER)
    return made


def written(text="Tea?", *, author=ADA, channel=TEXT_CHANNEL, guild: int | None = GUILD, roles=(), bot=False, **more):
    prompt = Prompt(channel, guild, channel, author, "Ada", text, more.pop("attachments", ()))
    return Asked("written", prompt, (Author(author, frozenset(roles), bot),), Place(), source=text, **more)


def heard(*lines: tuple[int, str], alone=False, bots=()):
    said = [PromptLine(user_id, {ADA: "Ada", BO: "Bo", BOT: "Robo"}[user_id], text) for user_id, text in lines]
    prompt = Prompt.of_lines(said, conversation_id=TEXT_CHANNEL, guild_id=GUILD, channel_id=TEXT_CHANNEL)
    authors = tuple(Author(user_id, is_bot=user_id in bots) for user_id in dict.fromkeys(line.user_id for line in said))
    return Asked("heard", prompt, authors, Place(), alone=alone)


WRITTEN = {
    "a mention": (written(mentions_me=True), {}, "answer"),
    "a mention where those are off": (written(mentions_me=True), {"prompt": {"mentions": False}}, "ignore"),
    "no mention": (written(), {}, "ignore"),
    "in the channel of the server": (written(channel=OTHER), {}, "answer"),
    "in a thread of it": (written(channel=THREAD, parent_channel_id=OTHER), {}, "answer"),
    "in a configured channel": (written(), {"prompt": {"channels": [TEXT_CHANNEL]}}, "answer"),
    "in the prompt channel of a session": (written(), {"session": True}, "answer"),
    "a direct message": (written(guild=None, mentions_me=True), {}, "answer"),
    "a direct message where those are off": (written(guild=None), {"prompt": {"direct_messages": False}}, "ignore"),
    "by a bot": (written(mentions_me=True, bot=True), {}, "ignore"),
    "by who is blocked": (written(mentions_me=True), {"prompt": {"block_users": [ADA]}}, "ignore"),
    "without the role": (written(mentions_me=True, roles=[1]), {"prompt": {"allow_roles": [COOKS]}}, "ignore"),
    "with the role": (written(mentions_me=True, roles=[COOKS]), {"prompt": {"allow_roles": [COOKS]}}, "answer"),
    "silent in the channel": (written(channel=OTHER, silent=True), {}, "ignore"),
    "silent to the bot": (written(silent=True, mentions_me=True), {}, "answer"),
    "nothing in it": (written("", channel=OTHER), {}, "ignore"),
    "a picture": (written("", channel=OTHER, attachments=("image",)), {}, "answer"),
    "only the name": (written("", mentions_me=True, called="Yes?"), {}, "answer"),
    "no model, mentioned": (written(mentions_me=True), {"model": False}, "explain"),
    "no model, not mentioned": (written(channel=OTHER), {"model": False}, "ignore"),
    "no model, in a session": (written(), {"model": False, "session": True}, "read"),
    "no model, by who listens": (written(channel=OTHER), {"model": False, "session": True}, "read"),
    "no model, by who does not": (written(channel=OTHER, author=BO), {"model": False, "session": True}, "ignore"),
}


@pytest.mark.parametrize(("asked", "options", "verdict"), WRITTEN.values(), ids=WRITTEN)
async def test_what_is_written_is_answered_if_it_is_for_the_bot(asked, options, verdict, clock) -> None:
    decision = intake(**options, clock=clock).decide(asked)
    assert decision.verdict == verdict
    assert bool(decision.why) == (verdict not in ("answer", "read"))
    assert (decision.prompt is not None) == (verdict in ("answer", "read"))


HEARD = {
    "its name at the beginning": ([(ADA, "Parley, what time is it?")], "addressed", False, True),
    "a greeting and its name": ([(ADA, "Hey Parley what time is it")], "addressed", False, True),
    "no name": ([(ADA, "What time is it?")], "addressed", False, False),
    "no name, but alone": ([(ADA, "What time is it?")], "addressed", True, True),
    "one of two says its name": ([(BO, "I do not know."), (ADA, "Parley, do you?")], "addressed", False, True),
    "the name where only who is alone is answered": ([(ADA, "Parley, hello")], "alone", False, False),
    "alone": ([(ADA, "hello")], "alone", True, True),
    "always": ([(ADA, "hello")], "always", False, True),
    "never": ([(ADA, "Parley, hello")], "never", True, False),
}


@pytest.mark.parametrize(("lines", "answer", "alone", "answered"), HEARD.values(), ids=HEARD)
async def test_what_is_said_is_answered_as_hearing_is_set(lines, answer, alone, answered, clock) -> None:
    decision = intake(session=True, hearing={"answer": answer}, clock=clock).decide(heard(*lines, alone=alone))
    assert decision.verdict == ("answer" if answered else "ignore")
    assert (decision.session is not None) == answered


async def test_it_is_called_by_its_wake_names_if_it_has_any(clock) -> None:
    named = intake(session=True, hearing={"wake_names": ["Computer"]}, clock=clock)
    assert named.wake_names == ("Computer",)
    assert named.decide(heard((ADA, "Computer, lights."))).verdict == "answer"
    assert named.decide(heard((ADA, "Parley, lights."))).verdict == "ignore"


async def test_other_names_call_it_on_their_server_alone_written_and_said_as_whole_words(clock) -> None:
    named = intake(session=True, clock=clock)
    handle = named.call_by(lambda guild_id: ("Mira", "lighthouse keeper") if guild_id == GUILD else ())
    elsewhere = {"channel": OTHER + 1}
    for text, verdict in (
        ("mira, will it rain?", "answer"),
        ("Ask the Lighthouse  Keeper!", "answer"),
        ("An admirable lighthouse, keeper.", "answer"),
        ("Admirable miracles.", "ignore"),
    ):
        assert named.decide(written(text, **elsewhere)).verdict == verdict, text
        assert named.decide(heard((ADA, text))).verdict == verdict, text
    assert named.decide(written("Mira?", guild=GUILD + 1, **elsewhere)).verdict == "ignore"
    assert named.decide(written("Mira?", author=BOT, bot=True, **elsewhere)).verdict == "ignore"
    handle.end()
    assert named.decide(written("Mira?", **elsewhere)).verdict == "ignore"


async def test_by_some_names_it_is_only_spoken_to_and_only_at_the_beginning(clock) -> None:
    named = intake(session=True, clock=clock)
    handle = named.speak_to(lambda guild_id: ("Nemesis",) if guild_id == GUILD else ())
    for text, verdict in (
        ("Nemesis, will it rain?", "answer"),
        ("hey nemesis will it rain", "answer"),
        ("My nemesis, the rain.", "ignore"),
    ):
        assert named.decide(heard((BO, "Hm."), (ADA, text))).verdict == verdict, text
        assert named.decide(written(text, channel=OTHER + 1)).verdict == "ignore"
    handle.end()
    assert named.decide(heard((ADA, "Nemesis, will it rain?"))).verdict == "ignore"
    deaf = intake(session=True, hearing={"answer": "never"}, clock=clock)
    deaf.speak_to(lambda _: ("Nemesis",))
    assert deaf.decide(heard((ADA, "Nemesis, will it rain?"))).verdict == "ignore"


async def test_of_what_several_say_only_those_who_may_ask_are_answered(clock) -> None:
    rules = intake(session=True, prompt={"block_users": [BO]}, hearing={"answer": "always"}, clock=clock)
    asked = heard((BO, "Say something rude."), (BOT, "Beep."), (ADA, "What time is it?"), bots=(BOT,))
    prompt = rules.decide(asked).prompt
    assert prompt is not None
    assert (prompt.text, prompt.lines, prompt.authors) == ("What time is it?", (), {ADA})
    assert rules.decide(heard((BO, "Parley, hello"))).why == "by nobody who may ask"


async def test_what_is_said_by_who_has_left_is_not_answered(clock) -> None:
    rules = intake(session=True, hearing={"answer": "always"}, clock=clock)
    assert rules.decide(heard((BO, "Bye!"))).verdict == "ignore"
    assert intake(hearing={"answer": "always"}, clock=clock).decide(heard((ADA, "Bye!"))).verdict == "ignore"


def test_lines_of_several_keep_their_order_and_their_speakers() -> None:
    prompt = heard((ADA, "Tea?"), (BO, "Coffee."), (ADA, "Both!")).prompt
    assert prompt.text == "Ada: Tea?\nBo: Coffee.\nAda: Both!"
    assert (prompt.author_id, prompt.author_name) == (ADA, "Ada")
    assert prompt.said_by(ADA) == "Tea?\nBoth!"
    assert prompt.only([BO]).text == "Coffee."
    one = heard((ADA, "Tea?"), (ADA, "Now!")).prompt
    assert (one.text, one.lines) == ("Tea?\nNow!", ())
    with pytest.raises(ValueError, match="somebody"):
        Prompt.of_lines([], conversation_id=1, guild_id=1, channel_id=1)


async def test_a_message_waits_for_the_end_of_a_session_and_is_asked_about_once(clock) -> None:
    kept: list[object] = []
    rules = intake(kept=kept, clock=clock)
    decision = await rules.take(written("Later?", mentions_me=True))
    assert decision.verdict == "wait"
    assert kept == ["Later?"]


async def test_who_claims_a_message_answers_it_and_is_asked_only_about_what_is_for_the_bot(clock) -> None:
    asked: list[str] = []
    rules = intake(model=False, clock=clock)

    async def claimed() -> bool:
        asked.append("claimed")
        return True

    assert (await rules.take(written(), claimed)).why == "not written to the bot"
    assert asked == []
    picture = written("", mentions_me=True, attachments=("image",))
    assert (await rules.take(picture, claimed)).why == "claimed"
    assert picture.place.told == []


async def test_why_nobody_answers_is_said_once_in_each_channel(clock) -> None:
    rules = intake(model=False, clock=clock)
    first, second, elsewhere = (
        written(mentions_me=True),
        written(mentions_me=True),
        written(mentions_me=True, channel=99),
    )
    for asked in (first, second, elsewhere):
        await rules.take(asked)
    assert [len(asked.place.told) for asked in (first, second, elsewhere)] == [1, 0, 1]


async def test_who_answers_later_is_whoever_registered_last_and_nobody_afterwards(clock) -> None:
    async def answer(_: object) -> None: ...

    async def better(_: object) -> None: ...

    rules = intake(clock=clock)
    assert rules.answerer is None
    old = rules.answer_with(answer)
    new = rules.answer_with(better)  # a cog is loaded anew before the old one is gone
    old.end()
    assert rules.answerer is better
    new.end()
    new.end()
    assert rules.answerer is None
