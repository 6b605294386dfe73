"""Parley's rooms below the cogs: everything that lives longer than a command."""

from __future__ import annotations

PARLEY = "parley"  # what a cog looks for, so that a host's own package named `core` is told apart
__version__ = "0.1.0"
