from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import HearingError
from core.hearing.transcripts.document import (
    Recogniser,
    Said,
    SpokenWord,
    Transcript,
    TranscriptSpeaker,
    WrittenBy,
    clean_names,
    merge,
    read_transcript,
    schema,
    write_transcript,
)
from core.hearing.transcripts.faces import cues, srt, txt, vtt
from core.privacy.mentions import cleaner

if TYPE_CHECKING:
    from pathlib import Path


def said(text: str, at_s: float = 0.0, *, by: str = "5", each_s: float = 0.4, words: bool = True) -> Said:
    parts = text.split()
    timed = [
        SpokenWord(text=part, start_s=at_s + n * each_s, end_s=at_s + (n + 1) * each_s, confidence=0.9)
        for n, part in enumerate(parts)
    ]
    end_s = at_s + max(1, len(parts)) * each_s
    return Said(speaker=by, start_s=at_s, end_s=end_s, text=text, words=timed if words else [], language="en")


def transcript(*segments: Said, name: str = "Ada", user: str = "5") -> Transcript:
    speakers = [TranscriptSpeaker(id=user, user_id=user, name=name)]
    return Transcript(
        recording="r1", speakers=speakers, segments=list(segments), recogniser=Recogniser(engine="whisper")
    )


def test_a_document_comes_back_as_it_was_and_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "transcript.json"
    document = transcript(said("Hello there.", 25.0))
    write_transcript(path, document)
    assert read_transcript(path) == document
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"{}", b'{"recording": "../x"}', b'{"recording": "r", "more": 1}', b"\xff\xfe",
     b'{"recording": "r", "segments": [{"speaker": "5", "start_s": 1e999, "end_s": 1, "text": ""}]}',
     b'{"recording": "r", "segments": [{"speaker": "a/b", "start_s": 1, "end_s": 1, "text": ""}]}'],
)  # fmt: skip
def test_what_is_no_document_is_told_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "transcript.json"
    path.write_bytes(data)
    with pytest.raises(HearingError, match=r"The transcript transcript\.json"):
        read_transcript(path)


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_document_is_not_read_through_a_link(tmp_path: Path) -> None:
    write_transcript(tmp_path / "other", transcript())
    (tmp_path / "transcript.json").symlink_to(tmp_path / "other")
    with pytest.raises(HearingError):
        read_transcript(tmp_path / "transcript.json")


def test_the_schema_names_every_key_of_a_document() -> None:
    found = schema()
    document = json.loads(transcript(said("Hello.")).model_dump_json())
    assert set(found["properties"]) == set(document)
    assert set(found["$defs"]["Said"]["properties"]) == set(document["segments"][0])
    assert set(found["$defs"]["SpokenWord"]["properties"]) == set(document["segments"][0]["words"][0])


def test_everybodys_words_are_in_the_order_of_time() -> None:
    ada = transcript(said("first", 0.0), said("third", 5.0))
    bo = transcript(said("second", 2.0, by="6"), name="Bo", user="6")
    whole = merge("r1", [ada, bo], WrittenBy(version="1"))
    assert [each.text for each in whole.segments] == ["first", "second", "third"]
    assert whole.names() == {"5": "Ada", "6": "Bo"}
    assert [line.split(": ")[0] for line in txt(whole).splitlines()] == [
        "[0:00:00] Ada",
        "[0:00:02] Bo",
        "[0:00:05] Ada",
    ]
    assert whole.state == "finished"
    bo.state = "partial"
    assert merge("r1", [ada, bo], WrittenBy()).state == "partial"


def test_who_is_called_something_else_is_called_that_in_every_face() -> None:
    document = transcript(said("Hello.", 1.0))
    document.speakers.append(TranscriptSpeaker(id="5:2", user_id="5", name="Ada (2)", voice=2))
    document.speakers.append(TranscriptSpeaker(id="5:3", user_id="5", name="Grace", voice=3, named=True))
    document.segments += [said("Two.", 3.0, by="5:2"), said("Three.", 5.0, by="5:3")]
    document.call("5", "Countess <b> & co")
    assert document.names() == {"5": "Countess <b> & co", "5:2": "Countess <b> & co (2)", "5:3": "Grace"}
    for face, escaped in ((txt, "Countess <b> & co"), (srt, "Countess <b> & co"), (vtt, "Countess &lt;b&gt; &amp; co")):
        made = face(document)
        assert "Ada" not in made
        assert f"{escaped} (2)" in made
        assert "Grace" in made
    assert f"<v {'Countess &lt;b&gt; &amp; co'}>Hello." in vtt(document)


def test_times_are_written_as_the_formats_want_them() -> None:
    document = transcript(said("Hello.", 3725.0004), said("Again.", 3727.9996))
    assert "1\n01:02:05,000 --> 01:02:05,400\nAda: Hello.\n\n" in srt(document)
    assert "01:02:08.000 --> 01:02:08.400\n<v Ada>Again.\n\n" in vtt(document)
    assert vtt(document).startswith("WEBVTT\n\n")
    assert txt(document).startswith("[1:02:05] Ada: Hello.\n")


def test_subtitles_are_short_and_end_where_somebody_pauses() -> None:
    long = said(" ".join(f"word{n}" for n in range(60)))
    made = cues(long)
    assert " ".join(cue.text for cue in made) == long.text
    assert all(len(cue.text) <= 84 and cue.end_s - cue.start_s <= 7.0 for cue in made)
    paused = said("before")
    paused.words += said("after", 40.0).words
    assert [(cue.start_s, cue.text) for cue in cues(paused)] == [(0.0, "before"), (40.0, "after")]
    untimed = said("x" * 300 + " end", words=False)
    assert "".join(cue.text for cue in cues(untimed)).replace(" ", "") == "x" * 300 + "end"
    assert cues(untimed)[-1].end_s == pytest.approx(untimed.end_s, abs=0.2)
    thai = said("สวัสดีครับ", words=False)
    thai.words = [SpokenWord(text=each, start_s=n, end_s=n + 1, confidence=1) for n, each in enumerate(["สวัสดี", "ครับ"])]
    assert [cue.text for cue in cues(thai)] == ["สวัสดีครับ"]


@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_no_name_or_word_breaks_a_format(name: str, text: str) -> None:
    document = transcript(said(text, 1.0, words=False), name=name)
    lines = vtt(document).split("\n")
    assert sum("-->" in line for line in lines) == sum(1 for line in lines if line.startswith("00:"))
    for line in lines:
        assert line.count("<") <= 1
    assert txt(document).count("\n") == 1
    blocks = [block for block in srt(document).split("\n\n") if block]
    assert all(len(block.split("\n")) == 3 for block in blocks)


def test_a_name_is_taken_out_of_what_others_said_and_out_of_its_words() -> None:
    document = transcript(said("Zebedee said so."), said("Ask Mary Ann now.", 9.0), said("Nothing.", 20.0))
    assert clean_names(document, cleaner(77, {"Zebedee", "Mary Ann"}))
    assert [each.text for each in document.segments] == ["somebody said so.", "Ask somebody now.", "Nothing."]
    assert [word.text for word in document.segments[0].words] == ["somebody", "said", "so."]
    assert document.segments[1].words == []
    assert not clean_names(document, cleaner(77, {"Zebedee"}))
