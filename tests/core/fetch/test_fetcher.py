"""Pages and files from real servers on loopback: what is given, and what is refused with which words."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import stat
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from core.config.fetch import FetchSection
from core.fetch import Validators
from loopback.voice.certificates import Certificates
from tests.web_site import refusal, reply, sends_to

if TYPE_CHECKING:
    from core.fetch import FetchLimits


def quick(fetcher, **changes) -> FetchLimits:
    return replace(fetcher.page_limits, **changes)


# What is given --------------------------------------------------------------------------------------------------------


async def test_a_page_comes_with_its_kind_and_where_it_was(site, fetcher):
    site.answers["/"] = reply("Grüße".encode("latin-1"), kind='Text/HTML; Charset="ISO-8859-1"', ETag='"v1"')
    fetched = await fetcher.get(site.url("/#part"))
    assert fetched.body.decode(fetched.head.charset) == "Grüße"
    assert (fetched.head.content_type, fetched.head.url) == ("text/html", site.url("/"))
    assert fetched.head.validators == Validators(site.url("/"), '"v1"', "")
    headers = site.asked[0].headers
    assert headers["user-agent"].startswith("Parley/")
    assert not {"cookie", "authorization", "referer", "proxy-authorization"} & set(headers)


async def test_what_is_unchanged_is_not_sent_again(site, fetcher):
    site.answers["/"] = reply(b"one", ETag='"v1"', Last_Modified="Sat, 21 Nov 2026 09:00:00 GMT")
    first = await fetcher.get(site.url())
    site.answers["/"] = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    again = await fetcher.get(site.url(), validators=first.head.validators)
    assert again.not_modified
    assert site.asked[1].headers["if-none-match"] == '"v1"'
    assert site.asked[1].headers["if-modified-since"] == "Sat, 21 Nov 2026 09:00:00 GMT"
    error = await refusal(fetcher.get(site.url()))
    assert (error.kind, error.status) == ("status", 304), "nobody asked whether it changed"


async def test_what_one_address_said_of_its_version_is_not_told_another(site, fetcher):
    site.answers |= {"/old": sends_to("/new"), "/new": reply(b"new")}
    await fetcher.get(site.url("/old"), validators=Validators(site.url("/old"), '"v1"', ""))
    assert ["if-none-match" in asked.headers for asked in site.asked] == [True, False]


@pytest.mark.parametrize(
    ("kind", "packed"),
    [
        ("gzip", gzip.compress(b"a" * 100_000)),
        ("x-gzip", gzip.compress(b"a" * 60_000) + gzip.compress(b"a" * 40_000)),
        ("deflate", zlib.compress(b"a" * 100_000)),
        ("deflate", zlib.compress(b"a" * 100_000, wbits=-15)),
        ("identity", b"a" * 100_000),
    ],
)
async def test_what_is_packed_is_unpacked(site, fetcher, kind, packed):
    site.answers["/"] = reply(packed, Content_Encoding=kind)
    assert (await fetcher.get(site.url())).body == b"a" * 100_000


async def test_a_file_is_private_and_whole(site, fetcher, tmp_path):
    sound = os.urandom(3_000_000)
    site.answers["/a.mp3"] = reply(sound, kind="audio/mpeg")
    file = await fetcher.download(site.url("/a.mp3"), tmp_path / "new")
    assert file.path.parent == tmp_path / "new"
    assert (file.path.read_bytes(), file.size) == (sound, len(sound))
    if os.name != "nt":
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


async def test_a_radio_of_the_nineties_is_understood(site, fetcher):
    async def play(_, writer):
        for piece in (b"I", b"CY 200 OK\r\nicy-name:Jazz\r\ncontent-type:audio/mpeg\r\n\r\n", b"so", b"und"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    site.answers["/;"] = play
    async with fetcher.stream(site.url("/;"), headers={"Icy-MetaData": "1"}) as stream:
        assert stream.head.headers["icy-name"] == "Jazz"
        assert b"".join([piece async for piece in stream]) == b"sound"
    assert site.asked[0].headers["icy-metadata"] == "1"


async def test_an_endless_stream_is_held_in_bounded_memory_and_let_go(site, fetcher):
    sent, gone = 0, asyncio.Event()

    async def play(_, writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n")
        try:
            while True:
                writer.write(bytes(65_536))
                await writer.drain()
                sent += 65_536
        except OSError:
            gone.set()

    site.answers["/"] = play
    async with fetcher.stream(site.url()) as stream:
        assert len(await anext(aiter(stream))) <= 65_536
        await asyncio.sleep(0.5)  # nobody reads
        before = sent
        await asyncio.sleep(0.2)
        assert sent == before, "the sender waits"
        assert len(await anext(aiter(stream))) <= 65_536
    await asyncio.wait_for(gone.wait(), 5)


# What is refused ------------------------------------------------------------------------------------------------------


async def test_a_host_that_is_allowed_by_name_may_be_anywhere(site, make):
    site.answers["/"] = reply(b"home")
    assert (await make(allow=("localhost",)).get(site.url(host="localhost"))).body == b"home"
    assert (await refusal(make(allow=("localhost",)).get(site.url()))).kind == "refused"


@pytest.mark.parametrize("place", ["127.0.0.1:8080", "http://nas.local", "nas.local/music", "10.0.0.0/99"])
def test_what_would_allow_nothing_is_refused_in_the_settings(place):
    with pytest.raises(ValueError, match="without scheme, port or path"):
        FetchSection(allow=(place,))


@pytest.mark.parametrize(
    "place", [b"/\xff\xfe", "/ü".encode(), b"/a b", b"//[::1", b"\\\\x", b"http://\xe2\x91\xa0.0.0.1/"]
)
async def test_a_redirect_to_anything_is_followed_or_refused_in_a_sentence(site, fetcher, place):
    site.answers["/"] = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n"
    await refusal(fetcher.get(site.url()))


async def test_redirects_have_an_end(site, make):
    site.answers["/"] = sends_to("/")
    error = await refusal(make(allow=("127.0.0.1",), redirects=3).get(site.url()))
    assert (error.kind, len(site.asked)) == ("redirects", 4)
    assert "3 times" in error.sentence


async def test_a_login_given_for_one_host_is_not_told_another(site, make):
    fetcher = make(allow=("127.0.0.1", "localhost"))
    site.answers |= {"/": sends_to(site.url("/there", host="localhost")), "/there": reply(b"")}
    await fetcher.get(site.url(), headers={"Authorization": "Bearer geheim", "Accept": "text/html"})
    assert [asked.headers.get("authorization") for asked in site.asked] == ["Bearer geheim", None]
    assert [asked.headers["accept"] for asked in site.asked] == ["text/html"] * 2


async def test_cookies_do_not_stick_and_proxies_of_the_environment_are_not_asked(site, fetcher, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    site.answers |= {"/": reply(status="302 Found", Location="/b", Set_Cookie="id=7"), "/b": reply(b"fine")}
    assert (await fetcher.get(site.url())).body == b"fine"
    assert not any("cookie" in asked.headers for asked in site.asked)


async def test_a_server_that_says_no_is_quoted_with_when_to_come_again(site, fetcher):
    site.answers["/"] = reply(b"slow down", status="429 Too Many Requests", Retry_After="120")
    error = await refusal(fetcher.get(site.url()))
    assert (error.kind, error.status, error.retry_after_s) == ("status", 429, 120)
    assert "429" in error.sentence
    site.answers["/"] = reply(status="503 Down", Retry_After="9" * 400)
    assert (await refusal(fetcher.get(site.url()))).retry_after_s == 7 * 86400
    site.answers["/"] = reply(status="403 No <@123> [x](http://evil)")
    assert "evil" not in (await refusal(fetcher.get(site.url()))).sentence


async def test_nobody_there_no_such_name_and_no_certificate_are_told_apart(make, tmp_path):
    fetcher = make(allow=("127.0.0.1",))
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    dead = await refusal(fetcher.get(f"http://127.0.0.1:{port}/"))
    assert (dead.kind, "cannot be reached" in dead.sentence) == ("dead", True)
    name = await refusal(fetcher.get("http://nothing.invalid/"))
    assert (name.kind, "no server named nothing.invalid" in name.sentence) == ("dead", True)
    made = Certificates.create(tmp_path)  # of an authority that nobody knows
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=made.server_context())
    unknown = await refusal(fetcher.get(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    assert (unknown.kind, "no valid certificate" in unknown.sentence) == ("dead", True)
    server.close()


async def test_other_kinds_than_were_looked_for_are_not_loaded(site, fetcher):
    site.answers["/"] = reply(b"\0" * 1000, kind="video/mp4")
    error = await refusal(fetcher.get(site.url(), quick(fetcher, types=("text/", "application/rss+xml"))))
    assert (error.kind, "video/mp4" in error.sentence) == ("type", True)


# Size -----------------------------------------------------------------------------------------------------------------


async def test_a_file_that_says_it_is_too_large_is_not_begun(site, fetcher, tmp_path):
    async def send(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(30)

    site.answers["/"] = send
    error = await refusal(fetcher.download(site.url(), tmp_path))
    assert (error.kind, "200 MB" in error.sentence) == ("large", True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("packed", [False, True])
async def test_what_has_no_end_or_unpacks_without_end_is_left_at_the_limit(site, fetcher, tmp_path, packed):
    block = gzip.compress(bytes(10_000_000)) if packed else bytes(100_000)
    sent = 0

    async def send(_, writer):
        nonlocal sent
        head = b"Content-Encoding: gzip\r\n" if packed else b""
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        with contextlib.suppress(OSError):
            while True:
                writer.write(block)
                await writer.drain()
                sent += len(block)

    site.answers["/"] = send
    assert (await refusal(fetcher.get(site.url(), quick(fetcher, size_bytes=2_000_000)))).kind == "large"
    assert (await refusal(fetcher.download(site.url(), tmp_path, quick(fetcher, size_bytes=2_000_000)))).kind == "large"
    assert not list(tmp_path.iterdir())
    assert sent < 30_000_000


async def test_a_body_that_is_cut_off_or_damaged_is_no_page(site, fetcher, tmp_path):
    site.answers["/cut"] = reply(b"a" * 100)[:-50]
    assert (await refusal(fetcher.get(site.url("/cut")))).kind == "dead"
    assert (await refusal(fetcher.download(site.url("/cut"), tmp_path))).kind == "dead"
    site.answers["/bad"] = reply(b"no gzip at all", Content_Encoding="gzip")
    assert (await refusal(fetcher.get(site.url("/bad")))).kind == "dead"
    site.answers["/half"] = reply(gzip.compress(os.urandom(1000))[:-100], Content_Encoding="gzip")
    assert (await refusal(fetcher.get(site.url("/half")))).kind == "dead"
    site.answers["/br"] = reply(b"x", Content_Encoding="br")
    assert (await refusal(fetcher.get(site.url("/br")))).kind == "type"
    assert not list(tmp_path.iterdir())


async def test_a_download_that_is_called_off_leaves_nothing(site, fetcher, tmp_path):
    begun = asyncio.Event()

    async def send(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1_500_000))
        await writer.drain()
        begun.set()
        await asyncio.sleep(30)

    site.answers["/"] = send
    task = asyncio.ensure_future(fetcher.download(site.url(), tmp_path))
    await begun.wait()
    await asyncio.sleep(0.1)
    assert list(tmp_path.iterdir())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not list(tmp_path.iterdir())


# Headers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [b"X-A: " + b"a" * 4000 + b"\r\n", b"a" * 65_536, b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n"],
    ids=["many", "one", "provisional", "empty"],
)
async def test_headers_without_an_end_are_given_up_soon(site, fetcher, line):
    sent = 0

    async def send(_, writer):
        nonlocal sent
        if not line.startswith((b"HTTP", b"\r\n")):
            writer.write(b"HTTP/1.1 200 OK\r\n")
        block = line * max(1, 65_536 // len(line))
        with contextlib.suppress(OSError):
            while sent < 10_000_000_000:
                writer.write(block)
                await writer.drain()
                sent += len(block)

    site.answers["/"] = send
    async with asyncio.timeout(10):
        assert (await refusal(fetcher.get(site.url()))).kind == "dead"
    assert sent < 30_000_000


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\1\2\3" * 100,
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ],
)
async def test_what_is_no_web_server_is_told(site, fetcher, answer):
    site.answers["/"] = answer
    assert (await refusal(fetcher.get(site.url()))).kind == "dead"


# Time -----------------------------------------------------------------------------------------------------------------


def dripping(head: bytes, drop: bytes, every_s: float):
    async def send(_, writer):
        writer.write(head)
        with contextlib.suppress(OSError):
            while True:
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(every_s)

    return send


async def test_each_kind_of_slowness_has_its_end(site, fetcher, monkeypatch):
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    site.answers |= {
        "/never": dripping(b"", b"", 60),
        "/head": dripping(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", 0.02),
        "/silent": dripping(head, b"", 60),
        "/drip": dripping(head, b"a", 0.02),
    }
    quickly = quick(fetcher, connect_s=0.2, answer_s=0.3, idle_s=0.4, total_s=1.0)

    async def said(path: str, **changes) -> str:
        error = await refusal(fetcher.get(site.url(path), replace(quickly, **changes)))
        assert error.kind == "slow"
        return error.sentence

    monkeypatch.setattr("core.fetch.body.GRACE_S", 0.2)
    assert "did not answer" in await said("/never")
    assert "did not answer" in await said("/head")
    assert "sent nothing" in await said("/silent")
    assert "too slowly" in await said("/drip")
    assert "longer than 1 s" in await said("/drip", least_rate=0)


async def test_redirects_that_drip_do_not_add_up(site, fetcher):
    async def send(_, writer):
        await asyncio.sleep(0.2)
        writer.write(sends_to("/"))
        await writer.drain()

    site.answers["/"] = send
    assert (await refusal(fetcher.get(site.url(), quick(fetcher, total_s=0.5, redirects=100)))).kind == "slow"


async def test_no_more_than_so_many_are_fetched_at_once(site, make):
    running = most = 0

    async def send(_, writer):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        writer.write(reply(b"x"))
        await writer.drain()

    site.answers["/"] = send
    fetcher = make(allow=("127.0.0.1",), at_once=2)
    await asyncio.gather(*(fetcher.get(site.url()) for _ in range(6)))
    assert most == 2
