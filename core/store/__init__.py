"""Tables and queries: what survives the process."""

from __future__ import annotations
