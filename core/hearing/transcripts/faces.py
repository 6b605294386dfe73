"""A transcript as people read it: plain text, and subtitles as SRT and WebVTT. Always made from the document, names too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.names import NAMELESS, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.hearing.transcripts.document import Said, SpokenWord, Transcript

Face = Literal["txt", "srt", "vtt"]
MOST_CHARACTERS, MOST_S, PAUSE_S = 84, 7.0, 1.5  # of one subtitle; a longer pause ends it
LEAST_S = 0.2  # that it is shown


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    start_s: float
    end_s: float
    text: str


def cues(said: Said) -> list[Cue]:
    """What was said in pieces that can be read while they are shown."""
    if not said.words:
        return _by_length(said)
    parts: list[list[SpokenWord]] = []
    length = 0
    for word in said.words:
        last = parts[-1] if parts else None
        if (
            last is None
            or length + len(word.text) + 1 > MOST_CHARACTERS
            or word.end_s - last[0].start_s > MOST_S
            or word.start_s - last[-1].end_s > PAUSE_S
        ):
            parts.append([word])
            length = len(word.text)
        else:
            last.append(word)
            length += len(word.text) + 1
    return [_cue(part[0].start_s, part[-1].end_s, _joined(part, said.text)) for part in parts]


def txt(transcript: Transcript) -> str:
    """One line for each thing said: when, who, what."""
    names = _names(transcript)
    lines = [f"[{_clock(said.start_s)}] {names[said.speaker]}: {_line(said.text)}" for said in transcript.segments]
    return "".join(f"{line}\n" for line in lines)


def srt(transcript: Transcript) -> str:
    """Subtitles as SubRip."""
    names = _names(transcript)
    parts: list[str] = []
    for number, (speaker, cue) in enumerate(_all(transcript), 1):
        times = f"{_stamp(cue.start_s, ',')} --> {_stamp(cue.end_s, ',')}"
        parts.append(f"{number}\n{times}\n{_no_arrow(names[speaker])}: {_no_arrow(cue.text)}\n\n")
    return "".join(parts)


def vtt(transcript: Transcript) -> str:
    """Subtitles as WebVTT, with a voice for each speaker."""
    names = _names(transcript)
    parts = ["WEBVTT\n\n"]
    for speaker, cue in _all(transcript):
        times = f"{_stamp(cue.start_s, '.')} --> {_stamp(cue.end_s, '.')}"
        parts.append(f"{times}\n<v {_escaped(names[speaker])}>{_escaped(cue.text)}\n\n")
    return "".join(parts)


FACES: dict[Face, Callable[[Transcript], str]] = {"txt": txt, "srt": srt, "vtt": vtt}


def _all(transcript: Transcript) -> Iterator[tuple[str, Cue]]:
    found = [(said.speaker, cue) for said in transcript.segments for cue in cues(said)]
    return iter(sorted(found, key=lambda each: (each[1].start_s, each[1].end_s)))


def _by_length(said: Said) -> list[Cue]:
    """Pieces of a text whose words have no times: each gets its share of the time."""
    text = _line(said.text)
    pieces: list[str] = []
    for word in text.split():
        if pieces and len(pieces[-1]) + len(word) + 1 <= MOST_CHARACTERS:
            pieces[-1] += f" {word}"
        else:
            pieces += [word[at : at + MOST_CHARACTERS] for at in range(0, len(word), MOST_CHARACTERS)]
    whole = sum(map(len, pieces)) or 1
    found: list[Cue] = []
    at_s = said.start_s
    for piece in pieces:
        end_s = at_s + (said.end_s - said.start_s) * len(piece) / whole
        found.append(_cue(at_s, end_s, piece))
        at_s = end_s
    return found


def _cue(start_s: float, end_s: float, text: str) -> Cue:
    return Cue(start_s, max(end_s, start_s + LEAST_S), text)


def _joined(words: list[SpokenWord], text: str) -> str:
    """Words as they stand in the text: with blanks between them, unless the text has none there."""
    spaced = " ".join(word.text for word in words)
    if " " in text.strip() or len(words) == 1:
        return _line(spaced)
    return _line("".join(word.text for word in words))


def _names(transcript: Transcript) -> dict[str, str]:
    names = {speaker: plain(name) or NAMELESS for speaker, name in transcript.names().items()}
    return names | {said.speaker: NAMELESS for said in transcript.segments if said.speaker not in names}


def _line(text: str) -> str:
    """A text on one line, without what controls or turns direction."""
    return plain(text, 100_000)


def _no_arrow(text: str) -> str:
    return text.replace("-->", "→")


def _escaped(text: str) -> str:
    return _no_arrow(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(at_s: float) -> str:
    minutes, seconds = divmod(int(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _stamp(at_s: float, point: str) -> str:
    thousandths = round(at_s * 1000)
    seconds, thousandths = divmod(thousandths, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"
