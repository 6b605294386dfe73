"""Recognised text cut into what people say in one breath: a recogniser gives half a minute as one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.hearing.transcripts.document import Said, SpokenWord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.hearing.text import Segment, Transcription, Word

PAUSE_S = 0.7  # ends a piece
ENOUGH_S, MOST_S = 6.0, 15.0  # after so long a sentence's end does, and at last any word
_ENDS = (".", "!", "?", "…", "。", "！", "？", "।", "؟")
_DIGITS = 3  # of times: milliseconds


def said_of(transcription: Transcription, speaker: str, from_s: float, until_s: float) -> list[Said]:
    """What was said, piece by piece, at the track's times.

    Args:
        transcription: As a recogniser gave it, moved to its place already.
        speaker: Who said it.
        from_s: Where the sound began: nothing was said before.
        until_s: Where it ended.
    """
    language = transcription.language or None
    found: list[Said] = []
    for segment in transcription.segments:
        for piece in _pieces(segment):
            text = _text(piece, segment) if piece else segment.text.strip()
            if not text:
                continue
            start_s, end_s = (piece[0].start_s, piece[-1].end_s) if piece else (segment.start_s, segment.end_s)
            start_s = _within(start_s, from_s, until_s)
            end_s = max(start_s, _within(end_s, from_s, until_s))
            words = [_word(word, start_s, end_s) for word in piece]
            found.append(Said(speaker=speaker, start_s=start_s, end_s=end_s, text=text, language=language, words=words))
    return found


def _pieces(segment: Segment) -> Iterator[Sequence[Word]]:
    """Runs of words without a long pause; one empty run if there are no times of words."""
    words = segment.words
    first = 0
    for number in range(1, len(words)):
        before, word = words[number - 1], words[number]
        length_s = before.end_s - words[first].start_s
        ended = before.text.rstrip("\"'”’)»").endswith(_ENDS)
        if word.start_s - before.end_s >= PAUSE_S or (ended and length_s >= ENOUGH_S) or length_s >= MOST_S:
            yield words[first:number]
            first = number
    yield words[first:]


def _text(piece: Sequence[Word], segment: Segment) -> str:
    """The words as the segment has them: with blanks between them or, in scripts without, none."""
    if len(piece) == len(segment.words):
        return segment.text.strip()
    spaced = " " in segment.text.strip()
    return (" " if spaced else "").join(word.text.strip() for word in piece).strip()


def _word(word: Word, from_s: float, until_s: float) -> SpokenWord:
    start_s = _within(word.start_s, from_s, until_s)
    end_s = max(start_s, _within(word.end_s, from_s, until_s))
    confidence = round(min(1.0, max(0.0, word.confidence)), _DIGITS)
    return SpokenWord(text=word.text.strip(), start_s=start_s, end_s=end_s, confidence=confidence)


def _within(at_s: float, from_s: float, until_s: float) -> float:
    return round(min(max(at_s, from_s), until_s), _DIGITS)
