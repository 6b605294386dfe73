"""Recordings: every person on a track of their own, lined up, safe from the first second on."""

from __future__ import annotations
