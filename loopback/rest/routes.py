"""Every route of the API, subject by subject."""

from __future__ import annotations

from loopback.rest import start, users

TABLES = (start.routes, users.routes)
