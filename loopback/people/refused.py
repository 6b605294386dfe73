"""What a person sees when Discord's client refuses their input."""

from __future__ import annotations


class Refused(RuntimeError):
    """The real client would not let a person do this; nothing was sent."""
