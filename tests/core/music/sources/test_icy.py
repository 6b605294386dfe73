"""Titles between the sound of a station."""

from __future__ import annotations

import random

import pytest

from core.music.sources.icy import TitleCutter, station_name


def block(text: bytes) -> bytes:
    padded = text + b"\0" * (-len(text) % 16)
    return bytes([len(padded) // 16]) + padded


@pytest.mark.parametrize("seed", range(5))
def test_titles_are_cut_out_of_the_sound_however_it_is_cut_up(seed):
    source = random.Random(seed)
    sound = source.randbytes(1000)
    parts = [sound[at : at + 100] for at in range(0, 1000, 100)]
    told = [b"", b"StreamTitle='It''s; a (song)';StreamUrl='x';", b"", "StreamTitle='Grüße';".encode("latin-1")] + [
        b""
    ] * 6
    sent = b"".join(part + block(title) for part, title in zip(parts, told, strict=True))
    cutter = TitleCutter(100)
    got, titles = b"", []
    while sent:
        cut = source.randint(1, 70)
        got += cutter.feed(sent[:cut])
        sent = sent[cut:]
        titles.append(cutter.title)
    assert got == sound
    assert list(dict.fromkeys(titles)) == ["", "It''s; a (song)", "Grüße"]


def test_what_is_no_interval_cuts_nothing():
    for text in ("", "0", "-5", "9999999999", "x", "²"):
        assert TitleCutter.of({"icy-metaint": text}).feed(b"sound" * 100) == b"sound" * 100


def test_titles_are_one_line_of_plain_text():
    cutter = TitleCutter(1)
    cutter.feed(b"a" + block(b"StreamTitle='one\ntwo\x1b[31m\xe2\x80\xae" + b"x" * 1000 + b"';"))
    assert cutter.title.startswith("one two")
    assert len(cutter.title) <= 200
    assert cutter.title.isprintable()
    assert station_name({"icy-name": "  Jazz\tFM "}) == "Jazz FM"
    assert station_name({}) == ""
