"""Hearing: voices become text. Plain Python, without Discord."""
