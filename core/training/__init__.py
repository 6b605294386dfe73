"""The trainer: what people judge of answers becomes data sets, which are checked, handed out, trained and tested with."""

from __future__ import annotations
