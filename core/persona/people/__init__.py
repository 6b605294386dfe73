"""Whom the bot knows: messages of those who let it read along, what it thinks of them, and how they want to be answered."""

from __future__ import annotations
