"""Every route of the API, subject by subject. Interactions come before webhooks, whose paths they share."""

from __future__ import annotations

from loopback.rest import (
    channels,
    commands,
    guilds,
    interactions,
    members,
    messages,
    reactions,
    start,
    users,
    webhooks,
)

TABLES = (
    start.routes,
    users.routes,
    guilds.routes,
    members.routes,
    channels.routes,
    messages.routes,
    reactions.routes,
    commands.routes,
    interactions.routes,
    webhooks.routes,
)
