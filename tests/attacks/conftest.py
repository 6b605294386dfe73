"""Attacks are tried on the same Discord on localhost as the cogs are."""

from __future__ import annotations

from tests.cogs.conftest import scene

__all__ = ["scene"]
