"""An address that somebody gives leads to nothing that is not public, however it is written and wherever it is sent on.

Nothing of it is asked, either: a request alone can switch something on.
"""

from __future__ import annotations

import asyncio

import pytest

from core.config.fetch import FetchSection
from core.fetch import Fetcher
from tests.web_site import refusal, reply, sends_to, serving


@pytest.fixture
async def site():
    """A web server that is for this machine alone."""
    async with serving() as place:
        yield place


@pytest.fixture
async def make():
    """A fetcher; nothing private is allowed unless named."""
    made: list[Fetcher] = []

    def fetcher(**settings) -> Fetcher:
        made.append(Fetcher(FetchSection(**settings)))
        return made[-1]

    yield fetcher
    for each in made:
        await each.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::]", "0", "127.1", "2130706433", "0x7f.1"])
async def test_this_machine_is_not_asked_however_it_is_written(site, make, host):
    error = await refusal(make().get(site.url(host=host)))
    assert (error.kind in ("refused", "address"), site.connections) == (True, 0)


async def test_a_redirect_to_a_private_address_is_not_followed(site, make):
    fetcher = make(allow=("localhost",))
    for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
        site.answers["/"] = sends_to(site.url("/secret"), status)
        assert (await refusal(fetcher.get(site.url(host="localhost")))).kind == "refused"
    assert {asked.path for asked in site.asked} == {"/"}


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("file:///etc/passwd", "address"),
        ("gopher://127.0.0.1:6379/_INFO", "address"),
        ("http://169.254.169.254/latest/meta-data/", "refused"),
        ("http://[64:ff9b::7f00:1]/", "refused"),
        ("//10.0.0.1/", "refused"),
        ("http://anna:geheim@127.0.0.1/", "address"),
        ("http://127.0.0.1:22/", "address"),
        ("", "redirects"),
        ("http://" + "a" * 4000, "address"),
    ],
)
async def test_every_step_is_looked_at_like_the_first(site, make, place, kind):
    fetcher = make(allow=("127.0.0.1",))
    site.answers["/"] = sends_to(place)
    error = await refusal(fetcher.get(site.url()))
    assert error.kind == kind
    assert "geheim" not in error.sentence


async def test_a_name_that_means_something_else_the_second_time_is_refused(site, make, monkeypatch):
    answers = iter(["127.0.0.2", "127.0.0.1"])

    def lookup(host, port, *_):
        return [(2, 1, 6, "", (next(answers), port))]

    server = await asyncio.start_server(site.serve, "127.0.0.2", site.port)
    monkeypatch.setattr("socket.getaddrinfo", lookup)
    site.answers |= {"/": sends_to("/again"), "/again": reply(b"secret")}
    error = await refusal(make(allow=("127.0.0.2",)).get(site.url(host="flip.example")))
    assert error.kind == "refused"
    assert [asked.path for asked in site.asked] == ["/"]
    server.close()
