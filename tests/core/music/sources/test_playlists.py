"""Lists name addresses of web servers, or nothing."""

from __future__ import annotations

import pytest
import yarl

from core.errors import AudioError
from core.music.sources.playlists import MAX_ENTRIES, Entry, is_hls, looks_like_playlist, read_playlist

BASE = yarl.URL("https://example.org/lists/all.m3u")


def test_a_list_with_titles_and_lengths():
    listed = read_playlist(
        "\ufeff#EXTM3U\r\n#EXTINF:123,Anna - Song\r\nsong.mp3\r\n\r\n# a remark\r\nhttps://other.example/b.ogg\r\n"
        '#EXTINF:-1 tvg-id="x",Radio [x](http://evil)\r\nhttp://radio.example:8000/;\r\n'.encode(),
        BASE,
    )
    assert listed.entries == (
        Entry("https://example.org/lists/song.mp3", "Anna - Song", 123),
        Entry("https://other.example/b.ogg"),
        Entry("http://radio.example:8000/;", "Radio [x](http://evil)"),
    )


def test_what_is_no_address_of_a_web_server_is_left_out_and_counted():
    listed = read_playlist(
        b"file:///etc/passwd\nC:\\music\\a.mp3\n\\\\nas\\a.mp3\nftp://x/a.mp3\nconcat:/etc/passwd|/etc/hosts\n"
        b"http://anna:geheim@x/a.mp3\nhttp://x:22/\nsubfile,,start,0,end,9,,:/etc/passwd\nhttps://good.example/a.mp3",
        None,
    )
    assert (listed.entries, listed.left_out) == ((Entry("https://good.example/a.mp3"),), 8)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"#EXTM3U\nfile:///etc/passwd\n", "https://"),
        (b"[playlist]\nFile1=/etc/passwd\nNumberOfEntries=1\n", "https://"),
        (b"#EXTM3U\n", "empty"),
        (b"[playlist]\nTitle1=nothing\n", "empty"),
        (b"a" * 1_000_001, "no playlist"),
        (b"#EXTM3U\n\0\0\0", "no playlist"),
    ],
)
def test_a_list_that_names_nothing_to_open_says_why(data, words):
    with pytest.raises(AudioError) as caught:
        read_playlist(data, None)
    assert words in caught.value.sentence


def test_a_path_of_the_own_machine_in_a_list_from_the_web_is_a_path_there():
    assert read_playlist(b"/etc/passwd", BASE).entries == (Entry("https://example.org/etc/passwd"),)


def test_servers_of_one_station_stand_in_for_each_other_but_songs_do_not():
    station = (
        b"[playlist]\nNumberOfEntries=2\nFile1=http://a.example/\nTitle1=Jazz\nLength1=-1\nFile2=http://b.example/\n"
    )
    assert read_playlist(station, None).entries == (Entry("http://a.example/", "Jazz", None, ("http://b.example/",)),)
    songs = b"[playlist]\nFile2=http://a.example/2\nLength2=30\nFile1=http://a.example/1\nLength1=20\n"
    assert [entry.length_s for entry in read_playlist(songs, None).entries] == [20, 30]


def test_a_list_has_an_end():
    listed = read_playlist(b"http://a.example/x\n" * 2000, None)
    assert (len(listed.entries), listed.left_out) == (MAX_ENTRIES, 1500)


def test_lists_are_known_by_their_content_before_their_names():
    assert looks_like_playlist("application/octet-stream", "/x", b"\xef\xbb\xbf#EXTM3U\n")
    assert looks_like_playlist("text/plain", "/x", b"[Playlist]\n")
    assert looks_like_playlist("audio/x-mpegurl", "/x", b"http://a.example/")
    assert looks_like_playlist("text/plain", "/a.PLS", b"http://a.example/")
    assert not looks_like_playlist("audio/x-mpegurl", "/x.m3u", b"ID3\x04\0")
    assert not looks_like_playlist("audio/x-mpegurl", "/x.m3u", b"<html>")
    assert not looks_like_playlist("text/plain", "/x", b"http://a.example/")
    assert is_hls(b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n")
    assert not is_hls(b"#EXTM3U\n#EXTINF:6,x\n")
