"""A voice session closes every door of the persona, whoever knocks, and its end opens them: what was put off is made up."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from loopback.services.png import png
from tests.cogs.conftest import scene
from tests.cogs.people import PROFILE
from tests.cogs.test_schedule import SetClock
from tests.cogs.test_watch import feed, look_now
from tests.web_site import serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from tests.web_site import Site

__all__ = ["scene"]

COGS = ("cogs.voice", "cogs.prompt", "cogs.recordings", "cogs.persona", "cogs.schedule", "cogs.watch", "cogs.lockdown")
PERSONA = {
    "profiles": {"every": 5},
    "joining_in": {"every": 2, "min_interval_s": 0},
    "arguments": {"lines": 2, "characters_per_s": 0, "again_s": 0},
    "autonomous": {"quiet_after_min": 60, "quiet_hours": ""},
}
NYX = 'name = "Nyx"\ndescription = "A cat."\n'
SCHEDULED = "It is time."
SETTINGS = {
    "fetch": {"allow": ["127.0.0.1"]},
    "watch": {"interval_s": 60, "confirm_s": 10, "host_gap_s": 0},
}


@dataclass
class Door:
    """Something that the persona does: how it comes about, and how one sees that it did."""

    feature: str
    knock: Callable[[], Awaitable[object]]
    opened: Callable[[], bool]
    again: Callable[[], Awaitable[object]] | None = None  # None: it is made up without another knock


class House:
    """A server with a channel behind each door, a manager, two people who let themselves be observed, and a clock to set."""

    def __init__(self, scene: Any, clock: SetClock, site: Site) -> None:
        self.scene, self.clock, self.site = scene, clock, site
        names = ("garden", "hall", "attic", "study")
        self.places = {name: scene.world.add_text_channel(scene.guild, name) for name in names}

    async def furnish(self) -> None:
        scene = self.scene
        self.root = await scene.person("Root", roles=[scene.admin_role])
        self.ada, self.ben = await scene.person("Ada"), await scene.person("Ben")
        for person in (self.ada, self.ben):
            scene.runtime.privacy.consent.decide("observed", person.user.id, "in")
        await self.run("garden", "persona observe", state="on")
        await self.run("attic", "persona autonomous", on=True)
        await self.run("hall", "schedule add", when="in 30 minutes", what="say", text=SCHEDULED, late="once")
        self.site.answers["/feed"] = feed("old")
        assert "I watch" in await self.run("study", "watch add", url=self.site.url("/feed"))

    async def run(self, place: str, command: str, **options: object) -> str:
        interaction = await self.root.slash(self.places[place], command, **options)
        return (await interaction.answered()).content

    def said(self, place: str) -> list[str]:
        """What the bot, or its second self, said there by itself."""
        found = [each for each in self.places[place].messages.values() if not each.is_ephemeral and not each.components]
        return [each.content for each in found if each.webhook or each.author is self.scene.bot_user]

    async def talk(self) -> None:
        """Two people talk, so often that it is the bot's turn, and that there is something to note of Ada."""
        for number in range(5):
            await self.ada.type(self.places["garden"], f"Ada says thing {number}.")
            await self.ben.type(self.places["garden"], f"Ben says thing {number}.")
        await self.heard(self.ben)

    async def heard(self, person: Any) -> None:
        last = await person.type(self.places["garden"], "And so on.")
        await self.scene.until(lambda: self.scene.bot._connection._get_message(last.id) is not None)
        await self.scene.runtime.people.messages.flush()

    async def fall_silent(self) -> None:
        """Somebody writes, and then nobody for hours."""
        message = await self.ben.type(self.places["attic"], "Good morning.")
        last, channel = self.scene.runtime.autonomous._last, self.places["attic"].id
        await self.scene.until(lambda: last.get(channel) and last[channel].id == message.id)
        self.clock.ahead += timedelta(hours=3)
        await self.scene.runtime.autonomous.look()

    async def come(self) -> None:
        """The time of what is scheduled comes."""
        self.clock.ahead += timedelta(minutes=40)
        self.scene.runtime.schedules.look()
        await asyncio.wait_for(self.scene.runtime.schedules.settled(), 10)

    async def change(self) -> None:
        """Something new is to be read at the address that is watched."""
        self.site.answers["/feed"] = feed("new", "old")
        await look_now(self.scene)

    def doors(self) -> list[Door]:
        look = self.scene.runtime.autonomous.look
        return [
            Door(
                "persona_argument",
                lambda: self.run("hall", "persona argue", topic="tea"),
                lambda: len(self.said("hall")) > 1,
                lambda: self.run("hall", "persona argue", topic="tea"),
            ),
            Door(
                "avatar",
                lambda: self.run("hall", "persona use", character="nyx"),
                lambda: bool(self.scene.guild.members[self.scene.bot_user.id].avatar[1]),
            ),
            Door("profiles", self.talk, lambda: "dry and friendly" in self.profile),
            Door("fifth_message", self.talk, lambda: bool(self.said("garden")), lambda: self.heard(self.ben)),
            Door("autonomous", self.fall_silent, lambda: bool(self.said("attic")), look),
            Door("schedule", self.come, lambda: SCHEDULED in self.said("hall")),
            Door("notifier", self.change, lambda: any("n.example" in each for each in self.said("study"))),
        ]

    profile = ""

    async def look(self) -> None:
        """See what is noted of Ada, as she sees it."""
        interaction = await self.ada.slash(self.places["garden"], "persona profile")
        self.profile = (await interaction.answered()).content

    async def until(self, door: Door) -> None:
        try:
            async with asyncio.timeout(20):
                while not door.opened():
                    if door.feature == "profiles":
                        await self.look()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"{door.feature} did not come back after the session")


@pytest.fixture
async def house(scene: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    clock = SetClock()
    clock.ahead = datetime(2026, 11, 25, 11, 0, tzinfo=UTC) - clock.now()
    monkeypatch.setattr("core.bot.runtime.SystemClock", lambda: clock)
    folder = scene.folder / "characters"
    folder.mkdir()
    (folder / "nyx.toml").write_text(NYX, encoding="utf-8")
    (folder / "nyx.png").write_bytes(png(64, 64))
    async with serving() as site:
        house = House(scene, clock, site)
        await scene.start(cogs=COGS, persona=PERSONA, **SETTINGS)
        await house.furnish()
        yield house


async def test_nothing_of_the_persona_happens_in_a_session_and_all_of_it_does_afterwards(scene: Any, house: House):
    await house.root.join(scene.voice)
    assert "I am in" in await scene.run(house.root, "voice join")
    asked = len(scene.chat.prompts)
    doors = house.doors()
    for door in doors:
        assert scene.runtime.lockdown.locked(door.feature), door.feature
        told = await door.knock()
        if door.feature == "persona_argument":
            assert "locked while I am in a voice channel" in told
    await asyncio.sleep(0.5)
    await house.look()
    for door in doors:
        assert not door.opened(), f"{door.feature} in the session"
    assert len(scene.chat.prompts) == asked, "no model is asked by itself"
    assert scene.world.webhooks == {}
    status = await scene.run(house.root, "persona status")
    assert "gives way just now" in status.casefold()
    scene.chat.script(text=json.dumps(PROFILE))
    scene.chat.script(text=json.dumps(PROFILE))
    await scene.run(house.root, "voice leave")
    await scene.until(lambda: not any(scene.runtime.lockdown.locked(door.feature) for door in doors))
    for door in doors:
        if door.again is None:
            await house.until(door)
    for door in doors:
        if door.again is not None:
            await door.again()
            await house.until(door)
    assert house.said("hall").count(SCHEDULED) == 1, "made up once"
    assert len(house.said("study")) == 1, "posted once"
