"""Keeps out what a recogniser makes up: Whisper writes sentences for noise, and the same one over and over.

The numbers are measured: a sentence for breath came with no-speech 0.51 and log probability -1.26, so either alone lets it
through that asks for both; genuine text reached a compression of 2.35.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

from core.hearing.text import Word
from core.hearing.vad import LEAST_SPEECH_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.hearing.text import Segment, Transcription

LEAST_LOG_PROBABILITY = -1.0
LEAST_HINTED_LOG_PROBABILITY = -0.5  # of a text that stands by its hint alone; commands have -0.16 to -0.34
MOST_COMPRESSION = 2.4
MOST_NO_SPEECH, DOUBTED_LOG_PROBABILITY = 0.6, -0.6  # likely no speech, and not sure of the words either
LETTERS_A_SECOND, LETTERS_FREE = 40.0, 14  # more than anybody says in so much speech
_LONGEST_LOOP = 12  # words or signs that are repeated
_OFTEN = {1: 6, 2: 4, 3: 4}  # repetitions of so many words that nobody says; of more words three
_WORDS_A_SECOND = 7.0  # of a loop that somebody may really have said
_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_NOTE = re.compile(r"\[[^\[\]]{0,60}\]|\([^()]{0,60}\)|\*[^*]{0,60}\*|[♪♫♬]+")

# What films end with: Whisper learned that from subtitles, and writes it for breath and noise in many languages.
_CREDITS = re.compile(
    r"(thanks?( you)?( so much| very much)? for (watching|listening|viewing)|(please |don't forget to )?(like and )?subscribe"
    r"|see you (all )?(in the next|next) (video|time|one)|subtitles? (by|created)|transcri(bed|ption) by|amara\.?org"
    r"|untertitel(ung)? (der|des|von|im auftrag)|vielen dank f[üu]rs zu(schauen|sehen|h[öo]ren)|sous-titr(es|age)"
    r"|merci d'avoir regard[ée]|subt[íi]tulos (por|realizados)|gracias por ver|sottotitoli (e revisione|creati)"
    r"|legendas (pela|por)|ご視聴ありがとうございました|субтитры (сделал|создавал|подогнал)|продолжение следует|字幕|시청해)",
    re.IGNORECASE,
)
_CREDIT_LETTERS = 90  # a longer text that has such words in it is about something
_BREATH = frozenset(
    [
        "you thank you",
        "thank you",
        "you",
        "bye",
        "bye bye",
        "thanks",
        "okay",
        "oh",
        "so",
        "the",
        "uh",
        "um",
        "hmm",
        "yeah",
        "i'm sorry",
        "thank you very much",
        "danke",
        "merci",
        "gracias",
    ]
)
_SURE_LOG_PROBABILITY, _SURE_NO_SPEECH = -0.55, 0.3  # of what people do say, and Whisper writes for a breath as well


def keep_real(transcription: Transcription, voiced_s: float) -> Transcription:
    """The transcription without what nobody said.

    Args:
        transcription: As the recogniser gave it.
        voiced_s: Seconds of speech that a voice detector found in the sound.
    """
    if voiced_s < LEAST_SPEECH_S:
        return replace(transcription, segments=(), hinted="")
    kept = tuple(real for segment in transcription.segments if (real := _real(segment, voiced_s)) is not None)
    return replace(transcription, segments=kept, hinted=transcription.hinted if kept else "")


def sure_hint(hinted: Transcription, voiced_s: float) -> str:
    """What was understood by who listened for a name, if that is sure by itself: short commands are unsure without it."""
    real = keep_real(hinted, voiced_s)
    sure = all(
        (segment.log_probability or 0.0) >= LEAST_HINTED_LOG_PROBABILITY
        and (segment.no_speech or 0.0) <= _SURE_NO_SPEECH
        for segment in real.segments
    )
    return real.text if sure else ""


def _real(segment: Segment, voiced_s: float) -> Segment | None:
    """The segment as it may stay, or None."""
    clean = _without_notes(segment)
    if not any(character.isalnum() for character in clean.text):
        return None
    sureness, no_speech = clean.log_probability, clean.no_speech
    if sureness is not None and sureness < LEAST_LOG_PROBABILITY:
        return None
    if sureness is not None and no_speech is not None:
        if no_speech > MOST_NO_SPEECH and sureness < DOUBTED_LOG_PROBABILITY:
            return None
        if _plain(clean.text) in _BREATH and (sureness < _SURE_LOG_PROBABILITY and no_speech > _SURE_NO_SPEECH):
            return None
    single = without_loops(clean, voiced_s)
    if single is None or (single is clean and (clean.compression or 0.0) > MOST_COMPRESSION):
        return None
    if len(_plain(single.text)) > LETTERS_A_SECOND * voiced_s + LETTERS_FREE:
        return None
    return None if _is_credit(single) else single


def _is_credit(segment: Segment) -> bool:
    """Whether a text is nothing but what films end with."""
    return len(segment.text) <= _CREDIT_LETTERS and _CREDITS.search(segment.text) is not None


def _without_notes(segment: Segment) -> Segment:
    """Without [Music], (laughs), *sighs* and notes: what a recogniser says of a sound is nothing that was said."""
    text = " ".join(_NOTE.sub(" ", segment.text).split())
    if text == " ".join(segment.text.split()):
        return segment
    left, words = text.casefold(), list[Word]()
    for word in segment.words:  # those that are still there, in order
        bare = word.text.strip().casefold()
        place = left.find(bare)
        if place >= 0:
            words.append(word)
            left = left[place + len(bare) :]
    return replace(segment, text=text, words=tuple(words))


def without_loops(segment: Segment, voiced_s: float) -> Segment | None:
    """The segment with what is repeated without end said once; None if nothing of it can have been said.

    A loop that would take longer to say than there is speech was made up from its beginning.
    """
    spaced = _NO_SPACES.search(segment.text) is None
    units = segment.text.split() if spaced else list(segment.text)
    folded = [_plain(unit) for unit in units]
    kept, looped = _once(folded, 1 if spaced else 3)
    if not looped:
        return segment
    if looped == len(units) and len(units) > (_WORDS_A_SECOND if spaced else 3 * _WORDS_A_SECOND) * voiced_s:
        return None
    text = (" " if spaced else "").join(units[number] for number in kept)
    words = tuple(segment.words[number] for number in kept) if len(segment.words) == len(units) else ()
    return replace(segment, text=text, words=words)


def _once(units: Sequence[str], dense: int) -> tuple[list[int], int]:
    """Numbers of the units that stay when each loop is said once, and how many units were in loops.

    `dense` is how many units make a word, where they are single signs.
    """
    kept: list[int] = []
    looped = at = 0
    while at < len(units):
        size, times = _loop_at(units, at, dense)
        kept += range(at, at + (size if times > 1 else 1))
        if times > 1:
            looped += size * times
            at += size * times
        else:
            at += 1
    return kept, looped


def _loop_at(units: Sequence[str], at: int, dense: int) -> tuple[int, int]:
    """Length and repetitions of the loop that begins here; (1, 1) if none does."""
    for size in range(1, _LONGEST_LOOP + 1):
        unit = units[at : at + size]
        if len(unit) < size or not any(unit):
            break
        times = 1
        while units[at + times * size : at + (times + 1) * size] == unit:
            times += 1
        if times >= _OFTEN.get(-(-size // dense), 3):
            return size, times
    return 1, 1


def _plain(text: str) -> str:
    """Letters, digits and single spaces, in lower case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(sign if sign.isalnum() or sign in " '" else " " for sign in folded).split())
