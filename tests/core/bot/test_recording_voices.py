from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.errors import HearingError
from core.hearing.transcripts.document import read_transcript, write_transcript
from tests.core.bot.test_transcripts import ADA, FRIDAY, HELLO, Library, library

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["library"]


async def split(library: Library) -> Path:
    """A recording on which Ada's words are of two voices."""
    folder = library.lay(ada=(2.0, HELLO), bo=(25.4, FRIDAY))
    await library.begin(HELLO, FRIDAY)
    await library.transcribed()
    path = folder / f"{ADA}_Zebedee.json"
    document = read_transcript(path)
    other = document.segments[0].model_copy(update={"speaker": f"{ADA}:2", "start_s": 9.0, "end_s": 10.0})
    document.segments[0].speaker = f"{ADA}:1"
    document.segments.append(other)
    only = document.speakers[0]
    document.speakers = [only.model_copy(update={"id": f"{ADA}:{n}", "voice": n}) for n in (1, 2)]
    write_transcript(path, document)
    return folder


async def test_a_voice_gets_a_name_that_every_file_and_the_search_have(library: Library) -> None:
    folder = await split(library)
    record = library.service.archive.record("r1")
    called = await library.transcripts.voices.name(record, ADA, 2, "Grace\n**Hopper**")
    assert called == ["Zebedee (1)", "Grace **Hopper**"]
    for face in ("txt", "srt", "vtt", "json"):
        text = (folder / f"transcript.{face}").read_text()
        assert "Grace **Hopper**" in text
        assert "Zebedee (1)" in text
    names = {each.speaker for each in await library.transcripts.repository.of_person(ADA)}
    assert names == {"Zebedee (1)", "Grace **Hopper**"}
    library.transcripts.request(record)
    await library.transcripts.wait("r1")
    assert "Grace **Hopper**" in (folder / "transcript.txt").read_text()


async def test_what_cannot_be_told_apart_or_named_is_told(library: Library) -> None:
    await split(library)
    record, voices = library.service.archive.record("r1"), library.transcripts.voices
    with pytest.raises(HearingError, match="no voice 7 of theirs; there are 2"):
        await voices.name(record, ADA, 7, "Grace")
    with pytest.raises(HearingError, match="said nothing"):
        await voices.split(record, 999, None)
    with pytest.raises(HearingError, match="models get speaker"):
        await voices.split(record, ADA, None)


async def test_a_shared_microphone_without_the_model_stays_one_person(library: Library) -> None:
    library.lay(ada=(2.0, HELLO))
    transcripts = await library.begin(HELLO)
    transcripts._section = transcripts._section.model_copy(update={"shared": [ADA]})
    document = await library.transcribed()
    assert document.names() == {str(ADA): "Zebedee"}
