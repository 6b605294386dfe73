"""What runs in the worker processes of the `whisper` engine: a model that stays open, and sound that becomes text.

Decodings hold the interpreter, so none happens in the bot's process. One at a time in a process: OpenMP and ONNX Runtime
lock each other up otherwise.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import HearingError
from core.hearing.hints import merged, needs_plain, prompt_names, with_rest
from core.hearing.made_up import keep_real, sure_hint
from core.hearing.models import EMBEDDED, embedded_folder
from core.hearing.stretches import StretchFinder
from core.hearing.text import Segment, Transcription, Word

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from core.hearing.stretches import Stretch
    from core.hearing.transcriber import Bias

_LONG_GAP_S = 0.5
JOIN_S = 2.0  # pauses up to this long stay in what is decoded at once: words help each other
_TOKENS_A_SECOND, _TOKENS_FREE, _MOST_TOKENS = 14, 24, 200  # a loop is cut short
JOINED = frozenset("'’-")
NO_GPU = 'There is no GPU that the speech model can use: set [hearing] device = "cpu".'
NO_COMPUTE = 'This {device} cannot compute in {compute}: set [hearing] compute_type = "auto".'
NO_MEMORY = "There is not enough memory for the speech model {name}: choose a smaller one in [hearing] model."
BROKEN = (
    "The speech model {name} cannot be opened: its files are damaged, or are not those of a Whisper for faster-whisper."
)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model is opened, and how."""

    name: str
    folder: str
    device: str = "cpu"
    compute_type: str = "auto"
    threads: int = 1


@dataclass(frozen=True, slots=True)
class HearingOptions:
    """How some sound is to become text."""

    language: str | None
    bias: Bias
    words: bool
    beam: int


_open: dict[ModelSpec, Any] = {}  # one at most: a process serves one model


def open_model(spec: ModelSpec) -> None:
    """Open a model and keep it; the one that was open goes.

    Raises:
        HearingError: It cannot be; says why, and what to do.
    """
    if spec in _open:
        return
    _open.clear()
    os.environ["OMP_NUM_THREADS"] = "1"  # what a model uses is said where it is opened
    os.environ["HF_HUB_OFFLINE"] = "1"
    from core.hearing.engines.whisper_model import load_whisper

    compute = spec.compute_type
    if compute == "auto":
        compute = "int8" if spec.device == "cpu" else "auto" if spec.device == "auto" else "int8_float16"
    try:
        _open[spec] = load_whisper(_folder(spec), spec.device, compute, spec.threads)
    except MemoryError as error:
        raise HearingError(NO_MEMORY.format(name=spec.name)) from error
    except (RuntimeError, ValueError, OSError, KeyError, TypeError) as error:
        raise _meaning(error, spec, compute) from error
    except Exception as error:
        # The tokenizer's library raises bare exceptions for a file that it cannot read.
        if type(error) is not Exception:
            raise
        raise HearingError(BROKEN.format(name=spec.name)) from error


def _folder(spec: ModelSpec) -> str:
    """Where the model lies on this machine: what comes with Parley may lie elsewhere than on the bot's."""
    here = embedded_folder() if spec.name == EMBEDDED and not Path(spec.folder).is_dir() else None
    return spec.folder if here is None else str(here)


def is_open(spec: ModelSpec) -> bool:
    """Open the model if it is not; the answer shows that this process is there and has it."""
    open_model(spec)
    return True


def hear(spec: ModelSpec, samples: NDArray[np.float32], options: HearingOptions) -> Transcription:
    """The text of some sound, without what nobody said; what is no speech is not decoded at all.

    Args:
        spec: The model.
        samples: Shape (n,), mono, float32 at 16 kHz.
        options: How.
    """
    open_model(spec)
    finder = StretchFinder(join_s=JOIN_S)
    found = [*finder.feed(samples), *finder.finish()]
    parts = [_hear_stretch(spec, stretch, options) for stretch in found]
    return Transcription.joined(parts, "whisper", spec.name, options.language or "")


def _hear_stretch(spec: ModelSpec, stretch: Stretch, options: HearingOptions) -> Transcription:
    if not options.bias:
        return keep_real(_pass(spec, stretch, options, hinted=False), stretch.speech_s).moved(stretch.start_s)
    hinted = _pass(spec, stretch, options, hinted=True)
    if needs_plain(hinted, options.bias):
        heard = merged(_pass(spec, stretch, options, hinted=False), hinted, options.bias)
    else:
        heard = replace(hinted, hinted=hinted.text)
    real = keep_real(heard, stretch.speech_s)
    if heard.hinted and not real.hinted:  # the words are unsure without the hint, and may be sure with it
        real = replace(real, hinted=with_rest(sure_hint(hinted, stretch.speech_s), heard.text, options.bias))
    return real.moved(stretch.start_s)


def _pass(spec: ModelSpec, stretch: Stretch, options: HearingOptions, *, hinted: bool) -> Transcription:
    """Decode one stretch once.

    Without time tokens there is one segment for all of it, and a second look at its last seconds never happens.
    """
    most = min(_MOST_TOKENS, int(_TOKENS_FREE + _TOKENS_A_SECOND * stretch.speech_s))
    names = prompt_names(options.bias) if hinted else ()
    segments, info = _open[spec].transcribe(
        stretch.samples,
        language=options.language,
        beam_size=options.beam,
        temperature=0.0,
        condition_on_previous_text=False,
        without_timestamps=True,
        word_timestamps=options.words,
        vad_filter=False,
        max_new_tokens=most,
        initial_prompt=f"{', '.join(names)}." if names else None,
        hotwords=options.bias.wake or None if hinted else None,
    )
    first = next(iter(segments), None)
    found = (_segment(first, stretch),) if first is not None else ()
    return Transcription(found, info.language, "whisper", spec.name)


def _segment(segment: Any, stretch: Stretch) -> Segment:
    """What faster-whisper gave, in our words; times are from the beginning of the stretch."""
    words = tuple(_placed(word, stretch.spans) for word in _words(segment.words or ()))
    start_s, end_s = stretch.spans[0][0], stretch.spans[-1][1]
    return Segment(
        segment.text.strip(),
        words[0].start_s if words else start_s,
        words[-1].end_s if words else end_s,
        words,
        float(segment.no_speech_prob),
        float(segment.avg_logprob),
        float(segment.compression_ratio),
    )


def _words(found: Iterable[Any]) -> list[Word]:
    """The words with their times; what the model cut inside of a word, as in o'clock, is joined again."""
    words: list[Word] = []
    for each in found:
        text, confidence = each.word.strip(), min(1.0, max(0.0, float(each.probability)))
        if words and text[:1] in JOINED and not each.word[:1].isspace():
            last = words[-1]
            words[-1] = Word(last.text + text, last.start_s, float(each.end), min(last.confidence, confidence))
        elif text:
            words.append(Word(text, float(each.start), float(each.end), confidence))
    return words


def _placed(word: Word, spans: tuple[tuple[float, float], ...]) -> Word:
    """A word where somebody speaks: models begin the first one early, and stretch others over silences.

    What was stretched over a long silence is said on the side that has more of it.
    """
    parts = [(max(a, word.start_s), min(b, word.end_s)) for a, b in spans if a < word.end_s and b > word.start_s]
    if not parts:
        return word
    if all(later[0] - earlier[1] < _LONG_GAP_S for earlier, later in pairwise(parts)):
        return replace(word, start_s=parts[0][0], end_s=parts[-1][1])
    start_s, end_s = max(parts, key=lambda part: part[1] - part[0])
    return replace(word, start_s=start_s, end_s=end_s)


def _meaning(error: Exception, spec: ModelSpec, compute: str) -> HearingError:
    """What an error of the library says to people."""
    said = str(error).casefold()
    if "cuda" in said or "cublas" in said or "cudnn" in said or "driver" in said:
        return HearingError(NO_GPU if "memory" not in said else NO_MEMORY.format(name=spec.name))
    if "bad_alloc" in said or "memory" in said or "cannot allocate" in said:
        return HearingError(NO_MEMORY.format(name=spec.name))
    if "compute type" in said:
        return HearingError(NO_COMPUTE.format(device=spec.device, compute=compute))
    return HearingError(BROKEN.format(name=spec.name))
