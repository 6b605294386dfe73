"""Parley's rooms below the cogs: everything that lives longer than a command."""

from __future__ import annotations

from core.redaction import redact_logger

PARLEY = "parley"  # what a cog looks for, so that a host's own package named `core` is told apart
__version__ = "0.1.0"

redact_logger(__name__)  # whoever logs: in a host's bot the handlers are not ours
