"""A prompt becomes a spoken and written reply, turn by turn."""

from __future__ import annotations
