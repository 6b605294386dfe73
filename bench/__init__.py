"""Timings as JSON lines: `python -m bench NAME`."""

from __future__ import annotations
