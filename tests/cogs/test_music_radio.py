"""Internet radio through /music, heard at somebody's ear."""

from __future__ import annotations

import asyncio

import pytest

from core.bot.music_card import describe
from tests.cogs.sounds import encoded, pitch_hz, tone, voiced
from tests.web_site import serving
from tests.web_station import Station


@pytest.fixture
async def site():
    async with serving() as place:
        yield place


# The stations send a little faster than they sound (4,000 bytes are a quarter of a second), as real ones do.


async def hears(ada, scene, hz):
    await scene.until(
        lambda: len(sound := voiced(ada, scene.bot_user)) > 24_000 and abs(pitch_hz(sound[-12_000:]) - hz) < 15, 20
    )


def card(scene) -> str:
    """What the card says as soon as it is brought up to date."""
    deck = scene.session.media
    return describe(deck, deck.now)


async def test_a_station_is_heard_with_its_titles_through_a_break_and_let_go(scene, site):
    await scene.start(cogs=("cogs.voice", "cogs.music"), model=False, fetch={"allow": ["127.0.0.1"]})
    ada = await scene.joined()
    site.answers["/live"] = station = Station(encoded(tone(800, 5.0), "mp3", "libmp3lame"), pace_s=0.2)
    assert "Jazz" in await scene.run(ada, "music play", what=site.url("/live"))
    await hears(ada, scene, 800)
    await scene.until(lambda: "Anna - One" in card(scene), 20)
    assert "no places to go to" in await scene.run(ada, "music seek", to="1:00")
    site.answers["/live"] = other = Station(encoded(tone(1200, 5.0), "mp3", "libmp3lame"), pace_s=0.2)
    other.title = "@everyone [x](https://evil.example)"
    station.cut.set()
    await hears(ada, scene, 1200)
    await scene.until(lambda: "evil.example" in card(scene), 20)
    assert "[x](" not in card(scene)
    await scene.run(ada, "music stop")
    async with asyncio.timeout(10):
        while other.listeners:  # noqa: ASYNC110 - the other end of a real connection
            await asyncio.sleep(0.05)
    assert not any(message.pings for message in scene.text.messages.values())
