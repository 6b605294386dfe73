"""Addresses become sources: files, stations, lists; whatever else is there is told in one sentence."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import numpy as np
import pytest

from core.errors import AudioError, FetchError, ParleyError
from core.music.sources.playlists import MAX_BYTES
from tests.core.music.sources.conftest import RATE, heard, mp3
from tests.web_site import reply
from tests.web_station import Station


async def refusal(doing) -> ParleyError:
    with pytest.raises((AudioError, FetchError)) as caught:
        await doing
    assert "\n" not in caught.value.sentence
    return caught.value


def loud_hz(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound[:, 0]))
    return float(np.argmax(spectrum)) * RATE / len(sound)


# Files ----------------------------------------------------------------------------------------------------------------


async def test_a_file_is_fetched_heard_and_removed_with_its_source(site, web, tmp_path):
    site.answers["/Anna%20-%20Song.mp3"] = reply(mp3(2.0), kind="audio/mpeg")
    (sound,) = (await web.find(site.url("/Anna%20-%20Song.mp3"))).sounds
    assert (sound.title, sound.source.endless) == ("Anna - Song.mp3", False)
    (file,) = (tmp_path / "kept").iterdir()
    assert sound.source.size == file.stat().st_size
    async with heard(sound.source) as take:
        got = await take(60)
    assert abs(len(got) / RATE - 2.0) < 0.1
    assert abs(loud_hz(got) - 440) < 3
    sound.source.release()
    assert not list((tmp_path / "kept").iterdir())
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(b"<!DOCTYPE html><title>Song</title>", kind="audio/mpeg"), "page, not sound"),
        (reply(b"\n <!-- x --> <HTML>", kind="application/octet-stream"), "page, not sound"),
        (reply(b"Please log in.", kind="text/html"), "page, not sound"),
        (reply(b"just words", kind="audio/mpeg"), "no sound"),
        (reply(b"", kind="audio/mpeg"), "empty"),
        (reply(b"\x89PNG\r\n\x1a\n" + bytes(500), kind="image/png"), "no sound"),
        (reply(b"x", status="404 Not Found"), "404"),
        (reply(b"x", status="451 Law"), "451"),
    ],
)
async def test_what_is_no_sound_is_told_and_leaves_nothing(site, web, tmp_path, answer, words):
    site.answers["/a.mp3"] = answer
    assert words in (await refusal(web.find(site.url("/a.mp3")))).sentence
    assert not (tmp_path / "kept").exists() or not list((tmp_path / "kept").iterdir())


# Stations -------------------------------------------------------------------------------------------------------------


async def test_a_station_is_heard_with_its_titles_and_let_go(site, web):
    site.answers["/live"] = station = Station(mp3(5.0))
    (sound,) = (await web.find(site.url("/live"))).sounds
    assert (sound.title, sound.source.endless, sound.source.size) == ("Jazz <@1>", True, 0)
    titles: list[str] = []
    sound.source.watchers.append(lambda: titles.append(sound.source.title))
    async with heard(sound.source) as take:
        assert abs(loud_hz(await take(3)) - 440) < 3
        station.title = "Anna - Two"
        await take(6)
    assert titles[:2] == ["Anna - One", "Anna - Two"]
    async with asyncio.timeout(5):
        while station.listeners:  # noqa: ASYNC110 - the other end of a real connection
            await asyncio.sleep(0.02)
    assert sound.source.title == ""


async def test_a_station_that_breaks_off_is_asked_again_told_of_after_half_a_minute_and_given_up(site, web, clock):
    site.answers["/live"] = station = Station(mp3(5.0))
    (sound,) = (await web.find(site.url("/live"))).sounds
    async with heard(sound.source) as take:
        await take(1)
        station.cut.set()
        given = asyncio.ensure_future(take(1000, within_s=60))
        site.answers["/live"] = reply(b"", status="503 Down")
        await asyncio.sleep(0.3)
        assert not sound.source.trouble
        for _ in range(40):
            await clock.advance(1)
            await asyncio.sleep(0.02)
        assert "has sent nothing" in sound.source.trouble
        site.answers["/live"] = again = Station(mp3(5.0))
        for _ in range(20):
            await clock.advance(1)
            await asyncio.sleep(0.02)
        assert not sound.source.trouble, "it is back"
        again.cut.set()
        site.answers["/live"] = reply(b"", status="503 Down")
        while not given.done():
            await clock.advance(20)
            await asyncio.sleep(0.02)
        with pytest.raises(AudioError, match=r"does not come back: .*503"):
            await given


async def test_a_station_is_refused_at_once_if_it_never_was_one(site, web, clock):
    sound = web.again(site.url("/live"), "Jazz")
    site.answers["/live"] = reply(b"", status="404 Not Found")
    async with heard(sound.source) as take:
        with pytest.raises(AudioError, match="404"):
            await take(1)
    site.answers["/live"] = (
        b"HTTP/1.0 200 OK\r\nicy-name: x\r\nContent-Type: audio/mpeg\r\n\r\n" + b"no sound at all" * 5000
    )
    async with heard(sound.source) as take:
        with pytest.raises(AudioError, match="nothing that is sound"):
            await take(1)


async def test_a_station_whose_sound_hangs_the_decoder_does_not_hold_the_queue_for_ever(site, web, clock, monkeypatch):
    hung = threading.Event()

    def feed(_):
        hung.wait(20)
        yield from ()

    monkeypatch.setattr("core.audio.decode.feed", feed)
    site.answers["/live"] = Station(mp3(5.0))
    (sound,) = (await web.find(site.url("/live"))).sounds
    async with heard(sound.source) as take:
        given = asyncio.ensure_future(take(1, within_s=30))
        await asyncio.sleep(0.2)
        while not given.done():
            await clock.advance(30)
            await asyncio.sleep(0.02)
        with pytest.raises(AudioError, match="does not come back"):
            await given
    hung.set()


# Lists ----------------------------------------------------------------------------------------------------------------


async def test_entries_of_a_list_are_fetched_when_their_turn_comes(site, web, tmp_path):
    site.answers |= {
        "/all.m3u": reply(
            b"#EXTM3U\n#EXTINF:1,One\na.mp3\n#EXTINF:1,Two\nb.mp3\nfile:///etc/passwd\n", kind="audio/x-mpegurl"
        ),
        "/a.mp3": reply(mp3(1.0)),
        "/b.mp3": reply(b"", status="410 Gone"),
    }
    found = await web.find(site.url("/all.m3u"))
    assert [(sound.title, sound.length_s) for sound in found.sounds] == [("One", 1), ("Two", 1)]
    assert found.left_out == 1
    assert [asked.path for asked in site.asked] == ["/all.m3u"]
    async with heard(found.sounds[0].source) as take:
        assert len(await take(10)) > 0.9 * RATE
    assert found.sounds[0].source.size
    found.sounds[0].source.release()
    assert not list((tmp_path / "kept").iterdir())
    async with heard(found.sounds[1].source) as take:
        with pytest.raises(AudioError, match="410"):
            await take(1)


async def test_lists_that_go_round_or_on_and_on_have_an_end(site, web):
    site.answers["/a.pls"] = reply(b"[playlist]\nFile1=b.m3u\n")
    site.answers["/b.m3u"] = reply(b"#EXTM3U\na.pls\n")
    assert "leads back to itself" in (await refusal(web.find(site.url("/a.pls")))).sentence

    async def endless(asked, writer):
        writer.write(reply(f"#EXTM3U\n/deep?{len(site.asked)}\n".encode()))
        await writer.drain()

    site.asked.clear()
    site.answers["/deep"] = endless
    assert "on and on" in (await refusal(web.find(site.url("/deep")))).sentence
    assert len(site.asked) == 4


async def test_a_list_without_an_end_is_left(site, web):
    async def send(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n#EXTM3U\n")
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"http://127.0.0.1/a\n" * 1000)
                await writer.drain()

    site.answers["/a.m3u"] = send
    error = await refusal(web.find(site.url("/a.m3u")))
    assert f"{MAX_BYTES / 1e6:g} MB" in error.sentence


async def test_servers_of_a_station_stand_in_for_each_other(site, web, clock):
    first, second = Station(mp3(3.0)), Station(mp3(3.0, 880))
    site.answers |= {
        "/jazz.pls": reply(b"[playlist]\nFile1=/one\nTitle1=Jazz\nLength1=-1\nFile2=/two\nLength2=-1\n"),
        "/one": first,
        "/two": second,
    }
    (sound,) = (await web.find(site.url("/jazz.pls"))).sounds
    async with heard(sound.source) as take:
        assert abs(loud_hz(await take(2)) - 440) < 3
        first.cut.set()
        site.answers["/one"] = reply(b"", status="503 Down")
        given = asyncio.ensure_future(take(20, within_s=20))
        while not given.done():
            await clock.advance(0.5)
            await asyncio.sleep(0.02)
        assert abs(loud_hz((await given)[-RATE:]) - 880) < 3


# Pieces (HLS) ---------------------------------------------------------------------------------------------------------


async def test_a_stream_in_pieces_is_heard_to_its_end(site, web):
    whole = mp3(4.0)
    cuts = [whole[at : at + 10_000] for at in range(0, len(whole), 10_000)]
    lines = "".join(f"#EXTINF:1.25,\n/piece{number}.mp3\n" for number in range(len(cuts)))
    site.answers |= {f"/piece{number}.mp3": reply(cut) for number, cut in enumerate(cuts)}
    site.answers |= {
        "/all.m3u8": reply(
            b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000\nbig.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=64000\nsmall.m3u8\n"
        ),
        "/small.m3u8": reply(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{lines}#EXT-X-ENDLIST\n".encode()),
    }
    (sound,) = (await web.find(site.url("/all.m3u8"))).sounds
    assert sound.source.endless
    async with heard(sound.source) as take:
        got = await take(60)
    assert abs(len(got) / RATE - 4.0) < 0.15
    assert not any("big" in asked.path for asked in site.asked)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:1,\na.ts\n', "encrypted"),
        ("#EXT-X-BYTERANGE:100@0\na.ts\n", "parts of files"),
        ("#EXT-X-TARGETDURATION:6\n", "no pieces"),
        ("#EXTINF:1,\nfile:///etc/passwd\n", "file:"),
        ("#EXTINF:1,\nhttp://10.0.0.1/a.ts\n", "not on the public internet"),
        ("#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://192.168.1.1/\n", "not on the public internet"),
        ('#EXT-X-MAP:URI="http://169.254.169.254/"\n#EXTINF:1,\na.ts\n', "not on the public internet"),
    ],
)
async def test_pieces_go_through_the_guard_like_everything(site, web, lines, words):
    site.answers["/a.m3u8"] = reply(f"#EXTM3U\n#EXT-X-VERSION:3\n{lines}".encode())
    (sound,) = (await web.find(site.url("/a.m3u8"))).sounds
    async with heard(sound.source) as take:
        with pytest.raises(AudioError) as caught:
            await take(1)
    assert words in caught.value.sentence
