"""Estimates how many tokens a text takes, without the tokenizer."""

from __future__ import annotations

import re

# Words of the Latin script, numbers, blanks, and everything else.
PIECES = re.compile(r"[A-Za-z]+|\d+|\s+|[^A-Za-z\d\s]+")
LETTERS = 6  # of a Latin word in one token; common words of any length are one
DIGITS = 3
BYTES = 2  # of any other script, sign or emoji in one token


def estimate_tokens(text: str) -> int:
    """About how many tokens the text takes, on the high side of the byte-pair tokenizers of today's models.

    The heuristic, piece by piece: a Latin word costs one token for every 6 letters begun, a number one for every 3
    digits, anything else (accents, other scripts, signs, emoji) one for every 2 bytes of UTF-8. A single blank belongs
    to the word behind it; a longer run of blanks costs one. English comes to about 4 characters a token. Too high a
    guess only forgets an old message early, too low a one makes the server refuse the prompt.
    """
    tokens = 0
    for piece in PIECES.findall(text):
        first = piece[0]
        if first.isspace():
            tokens += len(piece) > 1
        elif first.isdecimal():
            tokens += -(-len(piece) // DIGITS)
        elif first.isascii() and first.isalpha():
            tokens += -(-len(piece) // LETTERS)
        else:
            tokens += -(-len(piece.encode("utf-8", "replace")) // BYTES)
    return tokens
