"""The live connection: receive, playback, sessions, presence."""

from __future__ import annotations
