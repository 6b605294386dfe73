"""Times that are due: what people say of them, when they come next, and who is called then."""

from __future__ import annotations
