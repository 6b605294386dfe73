"""Looks at pictures and draws them."""

from __future__ import annotations
