"""Samples, frames and files."""

from __future__ import annotations
