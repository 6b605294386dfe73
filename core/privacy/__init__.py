"""What people decided about their data, and everybody who keeps some of it: the one place for both."""

from __future__ import annotations
