"""How models mark what they think aloud: its beginnings, its ends, and what may become one while text is still coming.

Tags are known by the word in them, because every family of models has its own: `<think>`, `<seed:think>`,
`<inner_monologue>`, `<reasoning effort="low">`, `<|thought|>`, `[REASONING]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LT, _GT = "(?:<|＜|&lt;)", "(?:>|＞|&gt;)"
_WORD = (
    "[a-z]{0,16}[:_-]?(?:think|thinking|thoughts?|thought[_-]process|reasoning|reflection|scratchpad|monologue|cot|analysis)"
    "(?:[_-][a-z]{1,16})?"
)
_TOOL = (
    "(?:tool_calls?|function_calls?)"  # nobody offers tools; what a model tries to do with one is no word of its answer
)
LONGEST_END = 60  # characters; no end of a thought is longer
LONGEST_OPENING = 300


@dataclass(frozen=True, slots=True)
class Family:
    """One way to mark thoughts. `sure`: text that begins so is a thought even if its end never comes."""

    opening: re.Pattern[str]
    closing: re.Pattern[str]
    sure: bool = True


def _family(opening: str, closing: str, *, sure: bool = True) -> Family:
    return Family(re.compile(opening, re.IGNORECASE), re.compile(closing, re.IGNORECASE), sure)


_TAG_END = rf"{_LT}\s?/\s?(?:{_WORD}|{_TOOL})\s?{_GT}"
FAMILIES = (
    _family(rf"{_LT}\s?(?:{_WORD}|{_TOOL})(?:\s[^<>]{{0,200}})?{_GT}", _TAG_END),
    _family(r"\[(?:think|thinking|thought|reasoning)\]", r"\[/(?:think|thinking|thought|reasoning)\]"),  # Mistral
    _family(r"<\|channel\|>\s?(?:analysis|commentary)", r"<\|channel\|>\s?final|<\|end\|>|<\|return\|>"),  # gpt-oss
    # gpt-oss again, where the server leaves out its tokens and keeps the words between them.
    _family(r"(?-i:analysis(?=[A-Z]))", r"(?-i:assistant ?final)", sure=False),
    _family(
        r"<\|(?:(?:begin_of_|start_|start_of_)?(?:think|thinking|thought|reasoning)(?:_start|_begin)?|inner_prefix)\|>",
        r"<\|(?:(?:/|end_of_|end_)(?:think|thinking|thought|reasoning)|(?:think|thinking|thought)_end|inner_suffix)\|>",
    ),  # Command, Sky, Apertus
    _family("◁think▷", "◁/think▷"),  # Kimi
    _family("<unused94>", "<unused95>"),  # MedGemma
    _family(r"<\|channel>thought", r"<channel\|>"),  # Gemma
    _family(r"<details\s[^<>]{0,99}reasoning[^<>]{0,99}>", "</details>"),  # Open WebUI
    _family(r"Thinking\.\.\.[ \t]*\r?\n", r"\.\.\.\s?done thinking\.", sure=False),  # ollama's terminal
)
ANY_CLOSING = re.compile("|".join(each.closing.pattern for each in FAMILIES), re.IGNORECASE)
# What may become an opening when more text comes; a text is held back for it only before the answer's first word.
OPENING_BEGUN = re.compile(
    rf"(?:{_LT}|&(?:lt?)?)[\s|/]{{0,2}}(?:[a-z][\w:-]{{0,40}})?(?:\|?|&(?:gt?)?)\Z"
    rf"|{_LT}\s?(?:{_WORD}|{_TOOL}|details)\s[^<>]{{0,{LONGEST_OPENING}}}\Z"
    r"|<\|channel\|?>\s?[a-z]{0,10}\Z|\[[a-z]{0,9}\Z|◁[a-z]{0,5}\Z",
    re.IGNORECASE,
)
WORDS_BEGUN = ("Thinking...\r\n", "Thinking... \n", "analysisA")
# In an answer itself, where marks are spoken of, these are looked at; an end without a beginning is a stray one.
SPOKEN_OPENINGS = (
    *(f"<{name}>" for name in ("think", "thinking", "thought", "thoughts", "reasoning", "reflection", "seed:think")),
    "[think]",
    "◁think▷",
)
SPOKEN_CLOSINGS = tuple(f"{mark[0]}/{mark[1:]}" for mark in SPOKEN_OPENINGS)
INNER_OPENING = re.compile(rf"(?<![`\"'“]){_LT}{_WORD}{_GT}", re.IGNORECASE)  # one that is not just spoken of
QUOTED, QUOTES = re.compile(r"[\s(][`\"'“]\Z"), "`\"'”"  # in front of an end that is spoken of, and behind it


def opening_begun(text: str) -> bool:
    """Whether all of a text may be the beginning of an opening."""
    if any(len(text) < len(words) and words.startswith(text) for words in WORDS_BEGUN):
        return True
    return OPENING_BEGUN.match(text) is not None


def opening(text: str, place: int) -> tuple[Family, int] | None:
    """The family of the opening at a place of a text, and where it ends."""
    for family in FAMILIES:
        found = family.opening.match(text, place)
        if found is not None:
            return family, found.end()
    return None
