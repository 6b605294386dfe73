"""The demo's part about the persona: it joins in a talk, knows who it talks to, and argues with itself, but not in a session."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from launch.story import Stage
    from launch.telling import Story
    from loopback.people.person import Person
    from loopback.services.chat import Chat
    from loopback.world.guilds import Channel
    from loopback.world.messages import Message

TALK = (
    ("Ada", "I have planted tomatoes on the roof this year."),
    ("Bob", "On the roof? They will burn up there."),
    ("Ada", "They get the evening sun only, and I water them twice a day."),
    ("Bob", "Then you will need a bigger watering can."),
    ("Ada", "A bigger roof, rather: I want beans as well."),
)
LATER = (("Ada", "And a bench to sit between them."), ("Ada", "The bench comes first, to be honest."))
JOINED_IN = "Beans climb: give them the bench's back, and you need no bigger roof."
PROFILE = {
    "tone": "warm, practical, a little wry",
    "interests": ["roof gardens", "vegetables"],
    "language": "English",
    "address": "",
    "avoid": ["long lists"],
    "reply_style": "direct",
}
TOPIC = "whether tea is better than coffee"
ARGUMENT = (
    "Tea is warm water with a good reputation.",
    "And coffee is a fire alarm in a cup. I take the reputation.",
    "Very well, I am outvoted by my own better half.",
)
BY_S = 50.0  # of the demo's minute; on a very busy machine the rest is left out, and said so
STEP_S = 12.0
CHANNEL = "garden"


@dataclass(slots=True)
class PersonaSeen:
    """What people saw of it; empty where it was not seen."""

    joined_in: str = ""
    joined_in_after: int = 0
    profile: str = ""
    argument: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    in_session: str = ""  # what somebody is told who wants an argument during the session
    lines_in_session: int = 0

    def report(self) -> dict[str, Any]:
        """What the report gains."""
        argument = [{"name": name, "text": text} for name, text in self.argument]
        return {
            "joined_in": self.joined_in,
            "joined_in_after": self.joined_in_after,
            "profile": self.profile,
            "argument": argument,
            "in_session": self.in_session,
            "lines_in_session": self.lines_in_session,
        }


def settings(background: Chat) -> dict[str, dict[str, Any]]:
    """What the bot is told: what it asks by itself goes to a model of its own, and the two argue quickly."""
    return {
        "model.routes.background": {"base_url": background.base_url, "model": "stand-in"},
        "persona": {"route": "background"},
        "persona.profiles": {"every": 5},
        "persona.joining_in": {"every": len(TALK)},
        "persona.arguments": {"lines": len(ARGUMENT), "characters_per_s": 60, "longest_pause_s": 1},
    }


async def refused(scene: Stage, story: Story, ada: Person, seen: PersonaSeen) -> None:
    """During the session: nobody argues."""
    interaction = await ada.slash(scene.standard.text, "persona argue", topic=TOPIC)
    seen.in_session = (await interaction.answered(STEP_S)).content
    story.tell(f"Ada wants the bot to argue with its second self. To her alone it says: {seen.in_session}")


async def live(
    scene: Stage, story: Story, people: tuple[Person, Person], background: Chat, seen: PersonaSeen
) -> dict[str, Any]:
    """After the session: two talk, the fifth message is answered, a profile is shown, the second self argues."""
    seen.lines_in_session = len(_lines(scene, scene.standard.text))
    ada, bob = people
    try:
        async with asyncio.timeout_at(story.begun_s + BY_S):
            await _join_in(scene, story, ada, bob, background, seen)
            await _argue(scene, story, ada, background, seen)
    except TimeoutError:
        story.tell("The machine is too busy for the rest of this: it did not happen in time.")
    return {"persona": seen.report()}


async def _join_in(scene: Stage, story: Story, ada: Person, bob: Person, background: Chat, seen: PersonaSeen) -> None:
    people = {"Ada": ada, "Bob": bob}
    channel = scene.discord.world.add_text_channel(scene.standard.guild, CHANNEL)
    asked = await ada.slash(channel, "persona observe", state="on")
    announcement = await ada.wait_for_message(channel, lambda found: found.components, STEP_S)
    await asked.answered(STEP_S)
    for person in (ada, bob):
        await (await person.press(announcement, "Read mine")).answered(STEP_S)
    story.tell(f"In #{CHANNEL} the bot may read along, which it announces; Ada and Bob press “Read mine”, and talk:")
    background.script(text=JOINED_IN)
    for name, text in TALK:
        await people[name].type(channel, text)
        story.detail(f"{name}: {text}")
    before = list(channel.messages)
    found = await ada.wait_for_message(channel, lambda found: _is_own(scene, found) and found.id not in before, STEP_S)
    seen.joined_in, seen.joined_in_after = (
        found.content,
        sum(not _is_own(scene, channel.messages[each]) for each in before),
    )
    story.tell(f"After message {seen.joined_in_after} the bot joins in: {found.content}")
    background.script(text=json.dumps(PROFILE))
    questions = len(background.requests)
    for name, text in LATER:
        await people[name].type(channel, text)
    await _answered(background, questions)
    while True:  # it is written down a moment after the model has answered
        profile = await (await ada.slash(channel, "persona profile")).answered(STEP_S)
        if PROFILE["tone"] in profile.content.replace("\\", ""):
            break
        await asyncio.sleep(0.2)
    seen.profile = profile.content.replace("\\", "")
    story.tell("Ada runs /persona profile. To her alone the bot shows what it has noted of her:")
    for line in seen.profile.splitlines():
        story.detail(line)


async def _argue(scene: Stage, story: Story, ada: Person, background: Chat, seen: PersonaSeen) -> None:
    channel = scene.standard.text
    before = len(_lines(scene, channel))
    for line in ARGUMENT:
        background.script(text=line)
    started = await ada.slash(channel, "persona argue", topic=TOPIC)
    story.tell(f"Ada runs /persona argue. The bot: {(await started.answered(STEP_S)).content}")
    while len(seen.argument) < len(ARGUMENT):
        await ada.wait_for_message(channel, lambda found: _speaker(scene, found) is not None, STEP_S)
        told, seen.argument = len(seen.argument), _lines(scene, channel)[before:]
        for name, text in seen.argument[told:]:  # none of it, if the bot wrote what is no line of the two
            story.detail(f"{name}: {text}")


async def _answered(background: Chat, questions: int) -> None:
    """Wait until the model was asked once more, and has answered."""
    while not any(each.ended_s for each in background.requests[questions:]):  # noqa: ASYNC110 - it tells no event
        await asyncio.sleep(0.05)


def _lines(scene: Stage, channel: Channel) -> list[tuple[str, str]]:
    """Who said what of the two, in a channel: what answers nobody."""
    found = [(_speaker(scene, message), message.content) for message in channel.messages.values()]
    begun = next((number for number, (name, _) in enumerate(found) if name not in (None, _own_name(scene))), len(found))
    return [(name, text) for name, text in found[begun:] if name is not None]


def _speaker(scene: Stage, message: Message) -> str | None:
    """The name under which a line of the bot's, or of its second self's, is shown; None for other messages."""
    if message.webhook is not None:
        return message.webhook_name or message.webhook.name
    own = _is_own(scene, message) and message.reply_to_id is None and not message.is_ephemeral and not message.embeds
    return _own_name(scene) if own and not message.components else None


def _is_own(scene: Stage, message: Message) -> bool:
    return message.author is scene.standard.bot and message.webhook is None


def _own_name(scene: Stage) -> str:
    return scene.standard.guild.members[scene.bot_id].display_name
