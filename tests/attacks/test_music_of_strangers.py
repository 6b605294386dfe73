"""Whatever an address answers that is given as music: it is told in one sentence, soon, and leaves nothing on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import io
from pathlib import Path

import pytest

from core.audio.decode import blocks, vet
from core.config.fetch import FetchSection
from core.config.ytdlp import YtDlpSection
from core.errors import AudioError, FetchError
from core.fetch import Fetcher
from core.music.sources.web import WebSounds
from core.music.sources.ytdlp import Extractor
from tests.web_site import reply, sends_to, serving


class KeptFile:
    """A file of the queue."""

    endless = False

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size

    def blocks(self, start_s: float):
        del start_s
        return blocks(self.path)

    def release(self) -> None:
        self.path.unlink(missing_ok=True)


@pytest.fixture
async def site():
    async with serving() as place:
        yield place


@pytest.fixture
async def refused(site, tmp_path, clock):
    """What an address is refused with; nothing may be left, and nothing take long."""
    fetcher = Fetcher(
        FetchSection(
            allow=("127.0.0.2",), file_mb=2, answer_timeout_s=0.5, idle_timeout_s=0.5, file_timeout_s=2, redirects=3
        )
    )
    other = await asyncio.start_server(site.serve, "127.0.0.2", site.port)
    web = WebSounds(
        fetcher,
        tmp_path / "kept",
        make_file=KeptFile,
        vet=lambda path: asyncio.to_thread(vet, path.read_bytes()),
        extractor=Extractor(YtDlpSection()),
        clock=clock,
    )

    async def refuse(path: str, host: str = "127.0.0.2") -> str:
        async with asyncio.timeout(10):
            with pytest.raises((AudioError, FetchError)) as caught:
                for sound in (await web.find(site.url(path, host=host))).sounds:
                    given = sound.source.blocks(0.0)
                    try:
                        while await asyncio.to_thread(next, given, None) is not None:
                            pass
                    finally:
                        await asyncio.to_thread(given.close)
        assert not (tmp_path / "kept").exists() or not list((tmp_path / "kept").iterdir())
        return caught.value.sentence

    yield refuse
    await web.close()
    await fetcher.close()
    other.close()


async def test_it_leads_nowhere_private(site, refused, monkeypatch):
    site.answers |= {
        "/a": sends_to(site.url("/secret")),
        "/b": reply(f"#EXTM3U\n{site.url('/secret')}\n".encode()),
        "/c": reply(f"[playlist]\nFile1={site.url('/secret')}\n".encode()),
        "/d": reply(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{site.url('/secret')}\n".encode()),
        "/e": reply(f'#EXTM3U\n#EXT-X-MAP:URI="{site.url("/secret")}"\n/e\n'.encode()),
    }
    for path in ("/a", "/b", "/c", "/d", "/e"):
        assert "not on the public internet" in await refused(path)
    answers = iter(["127.0.0.2", "127.0.0.1"])
    monkeypatch.setattr("socket.getaddrinfo", lambda host, port, *_: [(2, 1, 6, "", (next(answers), port))])
    site.answers["/f"] = sends_to("/secret")
    assert "not on the public internet" in await refused("/f", host="flip.example")
    assert not any(asked.path == "/secret" for asked in site.asked)


async def test_no_list_opens_a_file_of_this_machine(site, refused, monkeypatch, tmp_path):
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"RIFF" + bytes(5000))
    opened: list[str] = []
    real = io.open

    def watch(file, *args, **options):
        opened.append(str(file))
        return real(file, *args, **options)

    monkeypatch.setattr("builtins.open", watch)
    monkeypatch.setattr(Path, "open", lambda path, *args, **options: watch(path, *args, **options))
    for entry in (
        secret.as_uri(),
        str(secret),
        f"concat:{secret}",
        f"subfile,,start,0,end,9,,:{secret}",
        f"crypto:{secret}",
    ):
        for text in (
            f"#EXTM3U\n{entry}\n",
            f"[playlist]\nFile1={entry}\n",
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{entry}\n",
        ):
            site.answers["/a.m3u8"] = reply(text.encode(), kind="application/vnd.apple.mpegurl")
            await refused("/a.m3u8")
    # Formats of FFmpeg that name further files, by their content and whatever they are called.
    for body in (
        f"ffconcat version 1.0\nfile '{secret}'\n",
        f"<?xml version='1.0'?><MPD><BaseURL>{secret}</BaseURL></MPD>",
    ):
        site.answers["/a.mp3"] = reply(body.encode(), kind="audio/mpeg")
        await refused("/a.mp3")
    assert not any(str(secret) in name for name in opened)


async def test_it_has_an_end(site, refused):
    async def header(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nX-A: ")
        with contextlib.suppress(OSError):
            for _ in range(10_000):
                writer.write(b"a" * 1_000_000)
                await writer.drain()

    async def drip(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"800\r\n" + b"\xff" * 0x800 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)

    async def flood(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"10000\r\n" + b"\xff" * 0x10000 + b"\r\n")
                await writer.drain()

    site.answers |= {
        "/header": header,
        "/drip": drip,
        "/flood": flood,
        "/silent": lambda *_: asyncio.sleep(20),
        "/large": b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nID3" + bytes(3000),
        "/round": sends_to("/round"),
        "/a.pls": reply(b"[playlist]\nFile1=/b.pls\n"),
        "/b.pls": reply(b"[playlist]\nFile1=/a.pls\n"),
    }
    assert "does not answer as web servers do" in await refused("/header")
    assert "longer than 2 s" in await refused("/drip")
    assert "larger than 2 MB" in await refused("/flood")
    assert "did not answer" in await refused("/silent")
    assert "larger than 2 MB" in await refused("/large")
    assert "more than 3 times" in await refused("/round")
    assert "leads back to itself" in await refused("/a.pls")


async def test_what_is_no_sound_is_not_played(site, refused):
    site.answers["/a.mp3"] = reply(b"<html><audio src=x></html>", kind="audio/mpeg")
    assert "page, not sound" in await refused("/a.mp3")
    site.answers["/a.mp3"] = reply(b"<svg xmlns='http://www.w3.org/2000/svg'/>", kind="audio/mpeg")
    assert "no sound" in await refused("/a.mp3")
