"""Who may record, and see what was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.config.recording import RecordingSection

NOT_ALLOWED = "Only people with {who} may record here, and see what was recorded."


def may_record(section: RecordingSection, roles: Iterable[int], manages_channels: bool) -> bool:
    """Whether somebody with these roles may; who manages channels always may."""
    return manages_channels or not set(section.roles).isdisjoint(roles)


def require_right(section: RecordingSection, roles: Iterable[int], manages_channels: bool) -> None:
    """Refuse who may not.

    Raises:
        RecordingError: With who may.
    """
    if not may_record(section, roles, manages_channels):
        who = " or ".join([*(f"<@&{role}>" for role in section.roles), "the permission “Manage Channels”"])
        raise RecordingError(NOT_ALLOWED.format(who=who))
