"""The one guarded fetch: whatever is at an address that somebody gave is asked for here and nowhere else."""

from __future__ import annotations

from core.fetch.answers import Downloaded, Fetched, Head, Validators
from core.fetch.fetcher import Fetcher
from core.fetch.limits import FetchLimits
from core.fetch.stream import FetchStream

__all__ = ["Downloaded", "FetchLimits", "FetchStream", "Fetched", "Fetcher", "Head", "Validators"]
