"""Leaves out the special tokens of chat templates, which a server with the wrong template lets through as text."""

from __future__ import annotations

import re

from core.llm.cleaning import begun

# Ends of a turn, of a text or of a header, and beginnings of our own turn: they are left out, the text goes on.
IGNORED = (
    "</s>",
    "<s>",
    "<eos>",
    "<bos>",
    "<pad>",
    "<|im_end|>",
    "<|im_start|>assistant",
    "<end_of_turn>",
    "<start_of_turn>model",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|start_header_id|>assistant",
    "<|end_header_id|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|eot|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|start|>assistant",
    "<|message|>",
    "<|channel|>final",
    "<|assistant|>",
    "<|end_of_turn|>",
    "<|endofturn|>",
    "<|start_of_turn_token|>",
    "<|end_of_turn_token|>",
    "<|chatbot_token|>",
    "<|start_response|>",
    "<|end_response|>",
    "<|begin_of_solution|>",
    "<|end_of_solution|>",
    "<|turn>model",
    "<turn|>",
    "<｜end▁of▁sentence｜>",
    "<｜begin▁of▁sentence｜>",
    "<｜assistant｜>",
    "[/inst]",
    "<|constrain|>json",
    "<unk>",
    "<end_of_utterance>",
)
# Beginnings of somebody else's turn: from there on the model talks to itself.
FOREIGN = (
    *(f"<|im_start|>{role}" for role in ("user", "system", "tool")),
    *(f"<|start_header_id|>{role}" for role in ("user", "system", "ipython")),
    *(f"<|start|>{role}" for role in ("user", "system", "developer")),
    "<start_of_turn>user",
    "<|turn>user",
    "<|user|>",
    "<|system|>",
    "<|user_token|>",
    "<｜user｜>",
    "[inst]",
)
MARKS = (*IGNORED, *FOREIGN)
# Any other token of that form, but for those whose next word tells what they are.
_OTHER = r"<\|(?!(?:im_start|start_header_id|start|turn|channel|constrain)\|)/?[a-z][a-z0-9_]{1,39}\|>"
_OTHER_BEGUN = re.compile(r"<(?:\|(?:/?(?:[a-z][a-z0-9_]{0,39}\|?)?)?)?\Z", re.IGNORECASE)
_LONGEST_OTHER = 50
TOKEN = re.compile("|".join((*map(re.escape, MARKS), _OTHER)), re.IGNORECASE)
QUOTES = "`\"'“”„‘’«»"


def token_begun(text: str) -> int:
    """How many characters at the end of a text may be the beginning of a token."""
    place = text.rfind("<", max(0, len(text) - _LONGEST_OTHER))
    other = len(text) - place if place >= 0 and _OTHER_BEGUN.match(text, place) else 0
    return max(begun(text, MARKS), other)


class SpecialTokens:
    """Drops stray tokens, also when they come in pieces; `ended` tells that somebody else's turn began.

    What stands in code or in quotation marks is spoken of, and stays.
    """

    def __init__(self) -> None:
        self._held: str = ""
        self._last: str = ""
        self._in_code = False
        self.ended = False

    def feed(self, text: str) -> str:
        """The text without tokens."""
        if self.ended:
            return ""
        text, self._held = self._held + text, ""
        passed: list[str] = []
        start = 0
        for found in TOKEN.finditer(text):
            self._pass(text[start : found.start()], passed)
            start = found.end()
            if self._in_code or (self._last and self._last in QUOTES):
                if start == len(text):  # at the end of the answer it is a stray one after all
                    self._held = found[0]
                    break
                if self._in_code or text[start] in QUOTES:
                    self._pass(found[0], passed)
                    continue
            if found[0].lower() in FOREIGN:
                self.ended = True
                return "".join(passed)
        if not self._held:
            keep = token_begun(text[start:])
            self._held = text[len(text) - keep :]
            self._pass(text[start : len(text) - keep], passed)
        return "".join(passed)

    def flush(self) -> str:
        """What looked like the beginning of a token and was none."""
        held, self._held = self._held, ""
        return "" if TOKEN.fullmatch(held) else held

    def _pass(self, text: str, passed: list[str]) -> None:
        if text:
            passed.append(text)
            self._last = text[-1]
            self._in_code ^= bool(text.count("`") % 2)
