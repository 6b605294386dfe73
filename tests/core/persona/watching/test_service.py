"""Pages and feeds of real servers on loopback, looked at with a clock that moves when told."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from dataclasses import replace
from datetime import timedelta

import pytest

from core.config.fetch import FetchSection
from core.config.watch import WatchSection
from core.errors import FetchError, WatchError
from core.fetch import Fetcher
from core.persona.watching.looking import Looker
from core.persona.watching.outbox import NotPosted, NowhereToPost
from core.persona.watching.service import Watching
from core.store.store import Store
from core.store.watches import Watch, WatchLook, WatchSource
from tests.conftest import START
from tests.web_site import reply, serving

HOUR, DAY = 3600.0, 86400.0


class ThreadLane:
    """Reads in a thread: a process each would take the tests' time."""

    async def run(self, function, *args, deadline_s=None, owner=None, priority=0):
        del deadline_s, owner, priority
        return await asyncio.to_thread(function, *args)

    async def close(self) -> None:
        """Nothing is open."""


class Scene:
    """A service over a store, a site that it watches, and what it posted."""

    def __init__(self, site, store, clock, section, fetch) -> None:
        self.site, self.store, self.clock, self.section = site, store, clock, section
        self.fetcher = Fetcher(fetch, clock)
        self.posts: list[tuple[int, str, str, str]] = []
        self.refusal: Exception | None = None
        self.service = self.make()

    def make(self) -> Watching:
        looker = Looker(self.section, self.fetcher, ThreadLane(), self.clock)
        return Watching(self.section, self.store, looker, self.clock)

    async def post(self, watch, post) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.posts.append((watch.id, post.title, post.text, post.url))

    async def open(self) -> None:
        await self.service.open()
        self.service.begin(self.post)

    async def restart(self) -> None:
        await self.service.close()
        self.service = self.make()
        await self.open()

    async def watch(self, path: str, guild_id: int = 1, **options) -> Watch:
        watch = Watch(0, guild_id, 5, 7, self.clock.now(), self.site.url(path), **options)
        return (await self.service.add(watch))[0]

    async def pass_time(self, duration_s: float, steps: int = 1) -> None:
        for _ in range(steps):
            await self.clock.advance(duration_s / steps)
            async with asyncio.timeout(20):
                await self.settle()

    async def settle(self) -> None:
        """Until nothing is under way: real sockets take real time."""
        quiet = 0
        while quiet < 2:
            await asyncio.sleep(0.01)
            await self.clock.advance(0)
            quiet = 0 if self.service.busy else quiet + 1

    def asked(self, path: str) -> int:
        return sum(asked.path == path for asked in self.site.asked)

    @property
    def titles(self) -> list[str]:
        return [title for _, title, _, _ in self.posts]


@pytest.fixture
async def scene(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("core.persona.watching.service.LOOK_S", 6 * HOUR)  # this clock does not jump
    section = WatchSection(host_gap_s=0, give_up_days=3, interval_s=900, confirm_s=120)
    fetch = FetchSection(
        allow=("127.0.0.1", "localhost"), page_mb=1, idle_timeout_s=1, answer_timeout_s=1, page_timeout_s=2
    )
    store = Store(f"sqlite+aiosqlite:///{(tmp_path / 'a.db').as_posix()}")
    await store.open()
    async with serving() as site:
        made = Scene(site, store, clock, section, fetch)
        await made.open()
        yield made
        await made.service.close()
        await made.fetcher.close()
    await store.close()


def feed(*names: object, title: str = "News") -> bytes:
    items = "".join(f"<item><title>{n}</title><link>https://n.example/{n}</link><guid>{n}</guid></item>" for n in names)
    return reply(
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>{title}</title>{items}</channel></rss>'.encode(),
        kind="application/rss+xml",
    )


def page(text: str, title: str = "Shop") -> bytes:
    return reply(f"<html><title>{title}</title><body><p id=a>{text}</p></body></html>".encode(), kind="text/html")


def tagged(answer: bytes, tag: str) -> bytes:
    return answer.replace(b"\r\n\r\n", f'\r\nETag: "{tag}"\r\n\r\n'.encode(), 1)


# Feeds ----------------------------------------------------------------------------------------------------------------


async def test_a_feed_posts_what_is_new_once_also_after_a_restart(scene):
    scene.site.answers["/feed"] = feed("b", "a")
    watch = await scene.watch("/feed")
    assert (watch.kind, watch.title) == ("feed", "News")
    await scene.pass_time(HOUR)
    assert scene.posts == [], "the first look posts nothing"
    scene.site.answers["/feed"] = feed("d", "c", "b", "a")
    await scene.pass_time(HOUR)
    assert scene.posts == [(watch.id, "c", "", "https://n.example/c"), (watch.id, "d", "", "https://n.example/d")]
    await scene.restart()
    await scene.pass_time(3 * HOUR, 3)
    scene.site.answers["/feed"] = feed("e", "a")
    await scene.pass_time(HOUR)
    scene.site.answers["/feed"] = feed("d", "c", "b", "a")
    await scene.pass_time(HOUR)
    assert scene.titles == ["c", "d", "e"]


async def test_of_many_the_newest_are_posted_and_the_rest_is_counted(scene):
    scene.site.answers["/feed"] = feed(*range(100))
    await scene.watch("/feed")
    news = tagged(feed(*range(5000, 90, -1)), "v2")

    async def answer(asked, writer):
        known = asked.headers.get("if-none-match") == '"v2"'
        writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n" if known else news)
        await writer.drain()

    scene.site.answers["/feed"] = answer
    await scene.pass_time(HOUR)
    assert scene.titles == ["4996", "4997", "4998", "4999", "5000"]
    assert "4896 more" in scene.posts[0][2]
    await scene.pass_time(2 * HOUR, 2)
    assert len(scene.posts) == 5


async def test_words_choose_among_entries(scene):
    scene.site.answers["/feed"] = feed("a")
    await scene.watch("/feed", words=("Tea", "cake"))
    scene.site.answers["/feed"] = feed("green tea", "coffee", "CAKE", "a")
    await scene.pass_time(HOUR)
    assert scene.titles == ["CAKE", "green tea"]


async def test_one_look_serves_every_server(scene):
    scene.site.answers["/feed"] = feed("a")
    first = await scene.watch("/feed", guild_id=1)
    second = await scene.watch("/feed", guild_id=2)
    before = scene.asked("/feed")
    scene.site.answers["/feed"] = feed("b", "a")
    await scene.pass_time(1000)
    assert scene.asked("/feed") == before + 1
    assert sorted(scene.posts) == [
        (first.id, "b", "", "https://n.example/b"),
        (second.id, "b", "", "https://n.example/b"),
    ]


async def test_what_did_not_change_is_not_sent_again(scene):
    scene.site.answers["/feed"] = tagged(feed("a"), "v1")
    await scene.watch("/feed")
    scene.site.answers["/feed"] = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    await scene.pass_time(HOUR)
    assert scene.site.asked[-1].headers["if-none-match"] == '"v1"'
    assert scene.service.source(scene.site.url("/feed")).fails == 0


# Pages ----------------------------------------------------------------------------------------------------------------


async def test_two_looks_have_to_agree_and_a_blank_page_is_no_change(scene):
    scene.site.answers["/a"] = page("sold out")
    watch = await scene.watch("/a", words=("in stock", "sold out"))
    scene.site.answers["/a"] = page("in stock")
    await scene.pass_time(1000)
    assert scene.posts == [], "one look is not sure"
    scene.site.answers["/a"] = page("sold out")
    await scene.pass_time(150)
    scene.site.answers["/a"] = page("")
    await scene.pass_time(2 * HOUR, 8)
    scene.site.answers["/a"] = page("Now in stock!")
    await scene.pass_time(DAY, 24)
    assert scene.posts == [(watch.id, "Shop", "in stock (before: sold out)", scene.site.url("/a"))]
    scene.site.answers["/a"] = page("sold out again")
    await scene.pass_time(2 * HOUR, 8)
    assert scene.posts[1:] == [(watch.id, "Shop", "sold out (before: in stock)", scene.site.url("/a"))]


async def test_an_unchanged_answer_makes_sure_as_well(scene):
    scene.site.answers["/a"] = page("one")
    await scene.watch("/a", selector="#a")

    async def answer(asked, writer):
        known = asked.headers.get("if-none-match") == '"v2"'
        writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n" if known else tagged(page("two"), "v2"))
        await writer.drain()

    scene.site.answers["/a"] = answer
    await scene.pass_time(1000)
    await scene.pass_time(150, 3)
    assert [text for _, _, text, _ in scene.posts] == ["two (before: one)"]


async def test_a_page_whose_layout_changed_is_told_once_and_left(scene):
    scene.site.answers["/a"] = page("one")
    watch = await scene.watch("/a", selector="#a")
    scene.site.answers["/a"] = reply(b"<html><body><div>all new</div>", kind="text/html")
    await scene.pass_time(12 * DAY, 48)
    assert len(scene.posts) == 1
    assert "layout may have changed" in scene.posts[0][2]
    assert scene.service.require(1, watch.id).state == "off"
    count = scene.asked("/a")
    await scene.pass_time(5 * DAY, 10)
    assert scene.asked("/a") == count


# What goes wrong ------------------------------------------------------------------------------------------------------


async def test_a_page_that_is_down_is_asked_ever_less_told_once_and_left(scene):
    scene.site.answers["/feed"] = feed("a")
    watch = await scene.watch("/feed")
    scene.site.answers["/feed"] = reply(status="500 Broken")
    count = scene.asked("/feed")
    await scene.pass_time(2 * DAY, 48)
    assert scene.asked("/feed") - count < 15
    assert scene.posts == []
    scene.site.answers["/feed"] = feed("b", "a")
    await scene.pass_time(DAY, 12)
    assert scene.titles == ["b"], "it came back"
    scene.site.answers["/feed"] = reply(status="500 Broken")
    await scene.pass_time(8 * DAY, 48)
    assert len(scene.posts) == 2
    assert "500" in scene.posts[1][2]
    assert scene.service.require(1, watch.id).state == "off"
    await scene.restart()
    await scene.pass_time(5 * DAY, 5)
    assert len(scene.posts) == 2


async def test_a_server_that_wants_to_be_left_alone_is(scene):
    scene.site.answers["/feed"] = feed("a")
    await scene.watch("/feed")
    scene.site.answers["/feed"] = reply(status="429 Slow down", Retry_After="36000")
    await scene.pass_time(HOUR)
    count = scene.asked("/feed")
    await scene.pass_time(9 * HOUR, 9)
    assert scene.asked("/feed") == count
    await scene.pass_time(3 * HOUR, 6)
    assert scene.asked("/feed") == count + 1


async def test_where_nobody_is_reached_nobody_is_given_up(scene):
    scene.site.answers |= {"/feed": feed("a"), "/other": feed("a")}
    await scene.watch("/feed")
    url = scene.site.url("/other", host="localhost")
    await scene.service.add(Watch(0, 1, 5, 7, scene.clock.now(), url))
    scene.site.answers |= {"/feed": b"", "/other": b""}
    await scene.pass_time(10 * DAY, 20)
    assert scene.posts == [], "it is our own network that is down"
    scene.site.answers["/other"] = feed("b", "a")
    await scene.pass_time(6 * DAY, 12)
    assert [text.partition(":")[0] for _, _, text, _ in scene.posts] == ["", "I do not look at this any more"]


async def test_a_clock_that_was_wrong_puts_nothing_off_for_years(scene):
    scene.site.answers["/feed"] = feed("a")
    watch = await scene.watch("/feed")
    far = replace(scene.service.source(watch.url), next_at=START + timedelta(days=900))
    await scene.service._repository.settle(WatchLook(far), START, 10)
    scene.site.answers["/feed"] = feed("b", "a")
    await scene.restart()
    await scene.pass_time(1)
    assert scene.titles == ["b"]


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (reply(status="410 Gone"), "410"),
        (reply(status="302 Found", Location="http://10.0.0.1/"), "public internet"),
        (reply(status="302 Found", Location="file:///etc/passwd"), "file:"),
    ],
)
async def test_what_will_never_do_is_left_at_once(scene, answer, word):
    scene.site.answers["/feed"] = feed("a")
    await scene.watch("/feed")
    scene.site.answers["/feed"] = answer
    await scene.pass_time(HOUR)
    assert len(scene.posts) == 1
    assert word in scene.posts[0][2]


async def test_hostile_answers_are_failures_and_nothing_else(scene):
    async def drip(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)

    answers = [
        reply(b"x" * 10_000_000, kind="text/html"),
        reply(gzip.compress(bytes(10_000_000)), kind="text/html", Content_Encoding="gzip"),
        drip,
        reply(b"<rss><channel><item>", kind="application/rss+xml"),
        reply(b"\0" * 5000, kind="image/png"),
        b"SSH-2.0-OpenSSH\r\n",
    ]
    scene.site.answers["/feed"] = feed("a")
    await scene.watch("/feed")
    for answer in answers:
        scene.site.answers["/feed"] = answer
        await scene.pass_time(6 * HOUR, 2)
    assert scene.posts == []
    scene.site.answers["/feed"] = feed("b", "a")
    await scene.pass_time(2 * DAY, 4)
    assert scene.titles == ["b"]


async def test_robots_are_asked_and_minded(scene):
    rules = b"User-agent: *\nDisallow: /\n\nUser-agent: Parley\nCrawl-delay: 7200\nDisallow: /feed\n"
    scene.site.answers |= {"/feed": feed("a"), "/open": feed("a"), "/robots.txt": reply(rules)}
    with pytest.raises(WatchError, match=r"robots\.txt"):
        await scene.watch("/feed")
    assert scene.asked("/feed") == 0
    await scene.watch("/open")
    await scene.pass_time(1000)
    count = scene.asked("/open")
    await scene.pass_time(6000, 5)
    assert scene.asked("/open") == count


# People ---------------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_watched_is_refused_when_it_is_added(scene):
    scene.site.answers |= {"/a": page("text"), "/feed": feed("a")}
    with pytest.raises(WatchError, match="no element matches"):
        await scene.watch("/a", selector="#nowhere")
    with pytest.raises(WatchError, match="None of these words"):
        await scene.watch("/a", words=("in stock", "sold out"))
    with pytest.raises(FetchError, match="404"):
        await scene.watch("/gone")
    await scene.watch("/feed")
    with pytest.raises(WatchError, match="already"):
        await scene.watch("/feed")
    assert len(scene.service.of(1)) == 1


async def test_a_server_has_room_for_so_many(scene):
    scene.section = scene.section.model_copy(update={"max_watches": 1})
    await scene.service.close()
    scene.service = scene.make()
    await scene.open()
    scene.site.answers |= {"/a": page("a"), "/b": page("b")}
    await scene.watch("/a")
    with pytest.raises(WatchError, match="the most"):
        await scene.watch("/b")
    await scene.watch("/b", guild_id=2)


async def test_what_is_paused_or_removed_is_not_looked_at(scene):
    scene.site.answers |= {"/a": feed("1"), "/b": feed("1")}
    one, other = await scene.watch("/a"), await scene.watch("/b")
    await scene.service.change(replace(one, state="paused"))
    await scene.service.remove([other])
    count = len(scene.site.asked)
    await scene.pass_time(DAY, 6)
    assert len(scene.site.asked) == count
    scene.site.answers["/a"] = feed("2", "1")
    await scene.service.change(replace(scene.service.require(1, one.id), state="active"))
    await scene.pass_time(HOUR)
    assert scene.titles == ["2"]
    with pytest.raises(WatchError, match="no watch of that number"):
        scene.service.require(1, other.id)


async def test_a_session_pauses_it_and_afterwards_it_is_made_up(scene):
    scene.site.answers["/feed"] = feed("a")
    await scene.watch("/feed")
    scene.service.pause()
    scene.site.answers["/feed"] = feed("b", "a")
    count = scene.asked("/feed")
    await scene.clock.advance(DAY)
    await asyncio.sleep(0.1)
    assert (scene.asked("/feed"), scene.posts) == (count, [])
    scene.service.resume()
    await asyncio.sleep(0)
    scene.service.pause()  # before the look that is due has begun
    await asyncio.sleep(0.05)
    scene.service.resume()
    scene.service.pause()
    scene.service.resume()
    await scene.pass_time(1)
    assert scene.titles == ["b"]


async def test_news_wait_while_discord_is_away_and_end_with_their_channel(scene):
    scene.site.answers["/feed"] = feed("a")
    watch = await scene.watch("/feed")
    scene.refusal = NotPosted("away", waits=True)
    scene.site.answers["/feed"] = feed("b", "a")
    await scene.pass_time(3 * HOUR, 12)
    await scene.restart()
    scene.refusal = None
    await scene.pass_time(HOUR)
    assert scene.titles == ["b"]
    scene.refusal = NowhereToPost("Its channel is gone.")
    scene.site.answers["/feed"] = feed("c", "b", "a")
    await scene.pass_time(HOUR)
    now = scene.service.require(1, watch.id)
    assert (now.state, now.reason) == ("off", "Its channel is gone.")


async def test_two_hundred_are_ready_at_once_after_a_restart_and_not_asked_at_once(scene):
    most = running = 0

    async def answer(_, writer):
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        writer.write(feed("a"))
        await writer.drain()

    repository = scene.service._repository
    for number in range(200):
        url = scene.site.url(f"/{number}")
        scene.site.answers[f"/{number}"] = answer
        await repository.add(Watch(0, number, 5, 7, START, url, kind="feed", known="feed"))
        due = START if number < 30 else START + timedelta(days=1)
        await repository.settle(WatchLook(WatchSource(url, due)), START, 10)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await scene.restart()
    assert len(scene.service.all()) == 200
    assert loop.time() - began < 10, "and far less on a quiet machine"
    await scene.pass_time(1)
    assert sum(asked.path != "/robots.txt" for asked in scene.site.asked) == 30
    assert most == 1, "one at a time of a host"
