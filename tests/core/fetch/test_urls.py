"""Addresses as people give them."""

from __future__ import annotations

import pytest
import yarl

from core.errors import FetchError
from core.fetch.urls import parse, shown_host


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("file:///etc/passwd", "file:"),
        ("ftp://example.org/a.mp3", "ftp:"),
        ("gopher://example.org/", "gopher:"),
        ("data:text/html,hello", "data:"),
        ("javascript:alert(1)", "javascript:"),
        ("concat:/etc/passwd", "concat:"),
        ("FILE:/etc/passwd", "file:"),
        ("example.org", "https://"),
        ("/etc/passwd", "https://"),
        ("//example.org/a", "https://"),
        ("example.org:8000/live", "https://"),
        ("https:///nowhere", "https://"),
        ("http://", "https://"),
        ("", "https://"),
        ("http://exa mple.org/", "https://"),
        ("http://example.org/\r\nHost: other", "https://"),
        ("http://good.example\\@127.0.0.1/", "https://"),
        ("http://[::1", "https://"),
        ("http://example.org:99999/", "https://"),
        ("http://" + "a" * 70 + ".example/" + "b" * 2000, "2048"),
        ("http://anna:geheim@example.org/", "password"),
        ("http://anna@example.org/", "password"),
        ("http://:@example.org/", "password"),
        ("http://example.org:22/", "port 22"),
        ("http://example.org:25/", "port 25"),
        ("http://example.org:6379/", "port 6379"),
    ],
)
def test_what_is_not_opened_is_told_in_a_sentence_without_what_it_hid(text, word):
    with pytest.raises(FetchError) as caught:
        parse(text)
    assert caught.value.kind == "address"
    assert word in caught.value.sentence
    assert caught.value.sentence.endswith(".")
    assert "geheim" not in caught.value.sentence


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (" https://example.org/a%20b?c=d#e ", "https://example.org/a%20b?c=d"),
        ("http://example.org:8000/;stream", "http://example.org:8000/;stream"),
        ("HTTP://Example.ORG/", "http://example.org/"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("http://[2606:4700::1111]:8080/", "http://[2606:4700::1111]:8080/"),
    ],
)
def test_what_is_opened(text, url):
    assert str(parse(text)) == url


def test_a_relative_address_stands_where_it_was_found():
    assert str(parse("../b.mp3", yarl.URL("https://example.org/x/a.m3u"))) == "https://example.org/b.mp3"
    assert str(parse("//other.example/b", yarl.URL("https://example.org/"))) == "https://other.example/b"
    with pytest.raises(FetchError):
        parse("file:///etc/passwd", yarl.URL("https://example.org/"))


def test_a_host_is_shown_without_anything_else():
    assert shown_host(yarl.URL("https://anna:geheim@example.org:8443/way?token=x")) == "example.org:8443"
    assert shown_host(yarl.URL("http://[::1]/")) == "[::1]"
    assert shown_host(yarl.URL("http://a_b.example/")) == "a?b.example"
