"""`/watch` on a Discord on localhost, with real servers that are watched."""

from __future__ import annotations

import asyncio

import pytest

from tests.web_site import reply, sends_to, serving

SETTINGS = {
    "fetch": {"allow": ["127.0.0.1"]},
    "watch": {"interval_s": 60, "confirm_s": 10, "host_gap_s": 0},
}
PICTURE = '<media:thumbnail url="https://pictures.example/p.png"/>'


def feed(*titles: str) -> bytes:
    items = "".join(
        f"<item><title>{t}</title><link>https://n.example/a</link><guid>{t}</guid>{PICTURE}</item>" for t in titles
    )
    head = '<?xml version="1.0"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel>'
    return reply(f"{head}<title>News</title>{items}</channel></rss>".encode(), kind="application/rss+xml")


@pytest.fixture
async def site():
    async with serving() as place:
        yield place


async def look_now(scene) -> None:
    """Let every address be due."""
    from dataclasses import replace

    watching = scene.runtime.watching
    for url, source in watching._sources.items():
        watching._sources[url] = replace(source, next_at=scene.runtime.clock.now())
    watching.nudge()


async def posted(scene, text: str, within_s: float = 20.0):
    async with asyncio.timeout(within_s):
        while True:
            for message in scene.text.messages.values():
                if text in message.content:
                    return message
            await asyncio.sleep(0.05)


def count(scene, text: str) -> int:
    return sum(text in message.content for message in scene.text.messages.values())


async def test_a_feed_is_watched_and_its_news_are_posted_without_pings_or_markup(scene, site):
    await scene.start(cogs=("cogs.watch",), **SETTINGS)
    admin = await scene.person("Ada", roles=[scene.admin_role])
    site.answers["/feed"] = feed("one")
    said = await scene.run(admin, "watch add", url=site.url("/feed"))
    assert "I watch the feed News" in said
    assert "what it holds now (1)" in said
    site.answers["/feed"] = feed("@everyone [here](https://evil.example) &lt;@1&gt;", "one")
    await look_now(scene)
    message = await posted(scene, "n.example")
    assert "<https://n.example/a>" in message.content
    assert not message.pings
    assert "[here](" not in message.content
    assert message.embeds[0]["image"]["url"] == "https://pictures.example/p.png"
    listed = await scene.run(admin, "watch list")
    assert "News" in listed
    assert "last news" in listed
    assert "is paused" in await scene.run(admin, "watch pause", number=1)
    assert "goes on" in await scene.run(admin, "watch pause", number=1)
    assert "is removed" in await scene.run(admin, "watch remove", number=1)
    assert "watches nothing" in await scene.run(admin, "watch list")


async def test_who_may_not_and_what_will_not_do_is_told_in_a_sentence(scene, site):
    await scene.start(cogs=("cogs.watch",), **SETTINGS)
    admin = await scene.person("Ada", roles=[scene.admin_role])
    other = await scene.person("Ben")
    for command, options in (
        ("add", {"url": site.url("/feed")}),
        ("list", {}),
        ("remove", {"number": 1}),
        ("pause", {"number": 1}),
    ):
        assert "Manage Server" in await scene.run(other, f"watch {command}", **options)
    assert not site.asked
    site.answers |= {"/inside": sends_to("http://10.0.0.1/"), "/page": reply(b"<p>text</p>", kind="text/html")}
    for options, words in (
        ({"url": "file:///etc/passwd"}, "file:"),
        ({"url": "http://192.168.1.1/"}, "public internet"),
        ({"url": site.url("/inside")}, "public internet"),
        ({"url": "https://anna:geheim@n.example/"}, "password"),
        ({"url": site.url("/gone")}, "404"),
        ({"url": site.url("/page"), "selector": "p["}, "CSS selector"),
        ({"url": site.url("/page"), "selector": "#gone"}, "no element"),
        ({"url": site.url("/page"), "words": "a" * 60}, "At most 10"),
    ):
        said = await scene.run(admin, "watch add", **options)
        assert words in said
        assert "geheim" not in said
    assert "no watch of that number" in await scene.run(admin, "watch remove", number=9)
    assert scene.runtime.watching.all() == []


async def test_it_gives_way_in_a_session_and_is_made_up_afterwards(scene, site):
    await scene.start(cogs=("cogs.voice", "cogs.watch"), **SETTINGS)
    admin = await scene.person("Ada", roles=[scene.admin_role])
    site.answers["/feed"] = feed("one")
    await scene.run(admin, "watch add", url=site.url("/feed"))
    await admin.join(scene.voice)
    await scene.run(admin, "voice join")
    asked = len(site.asked)
    site.answers["/feed"] = feed("two", "one")
    await look_now(scene)
    await asyncio.sleep(1.0)
    assert len(site.asked) == asked
    assert not count(scene, "two")
    await scene.run(admin, "voice leave")
    await posted(scene, "two")
    await asyncio.sleep(0.5)
    assert count(scene, "two") == 1


async def test_a_channel_that_is_gone_ends_its_watch(scene, site):
    await scene.start(cogs=("cogs.watch",), **SETTINGS)
    admin = await scene.person("Ada", roles=[scene.admin_role])
    site.answers["/feed"] = feed("one")
    await scene.run(admin, "watch add", url=site.url("/feed"))
    (watch,) = scene.runtime.watching.all()
    from dataclasses import replace

    await scene.runtime.watching.change(replace(watch, channel_id=1))
    site.answers["/feed"] = feed("two", "one")
    await look_now(scene)
    async with asyncio.timeout(20):
        while scene.runtime.watching.all()[0].state == "active":  # noqa: ASYNC110 - the other end is Discord
            await asyncio.sleep(0.05)
    assert "Its channel is gone" in await scene.run(admin, "watch list")


async def test_what_it_keeps_of_a_person_is_who_added_what(scene, site):
    await scene.start(cogs=("cogs.watch",), **SETTINGS)
    admin = await scene.person("Ada", roles=[scene.admin_role])
    site.answers["/feed"] = feed("one")
    await scene.run(admin, "watch add", url=site.url("/feed"))
    from core.bot.watch_people import WatchPeople
    from core.privacy.owners import Person

    owner, person = WatchPeople(scene.runtime.watching), Person(admin.user.id)
    assert "1 page" in (await owner.describe_person(person)).lines[0]
    assert site.url("/feed").encode() in (await owner.export_person(person))["watches.json"]
    assert "go on watching" in (await owner.delete_person(person))[0]
    assert scene.runtime.watching.all()[0].added_by is None
