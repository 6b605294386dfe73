"""Who may record, who may be recorded, and who may see what was: each one rule, asked at the moment of use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import RecordingError
from core.privacy.consent import Consent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from core.config.recording import ConsentMode, RecordingSection
    from core.store.decisions import Decision

UNKNOWN = "There is no such recording. /recordings list shows what there is."
NOT_ALLOWED = "Only people with {who} in the recorded channel may record there, and see what was recorded."


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody may do at this moment, on a server and in one of its channels."""

    roles: frozenset[int] = frozenset()
    manages_server: bool = False  # Manage Channels by their roles, everywhere
    views_server: bool = False  # View Channels likewise: all that can be asked of a channel that is gone
    manages_channel: bool = False  # overwrites of the channel taken into account, as all below
    views_channel: bool = False
    channel_exists: bool = True

    @property
    def views(self) -> bool:
        """Whether the channel is one they see, or would see if it were still there."""
        return self.views_channel if self.channel_exists else self.views_server


def may_record(section: RecordingSection, roles: Iterable[int], manages_channels: bool) -> bool:
    """Whether somebody with these roles may; who manages the channel always may."""
    return manages_channels or not set(section.roles).isdisjoint(roles)


def may_see(section: RecordingSection, first: Standing, *others: Standing) -> bool:
    """Whether somebody may list, fetch, export, search and delete what was recorded in a channel, or in several.

    A recording holds the sound of every channel it was moved to: the right is needed in all of them. They see
    a channel, and manage it, all channels of the server, or have a role that the configuration names. Of a channel that
    is gone nobody can say who saw it: then only who sees and manages all channels may.
    """
    return all(_may_see(section, standing) for standing in (first, *others))


def _may_see(section: RecordingSection, standing: Standing) -> bool:
    if not standing.channel_exists:
        return standing.views_server and standing.manages_server
    manages = standing.manages_server or standing.manages_channel
    return standing.views_channel and may_record(section, standing.roles, manages)


def may_anywhere(section: RecordingSection, standing: Standing) -> bool:
    """Whether somebody has the right on the whole server, whatever channel it is about."""
    return may_record(section, standing.roles, standing.manages_server)


def refusal(section: RecordingSection) -> RecordingError:
    """What to say to who may not: who may."""
    who = " or ".join([*(f"<@&{role}>" for role in section.roles), "the permission “Manage Channels”"])
    return RecordingError(NOT_ALLOWED.format(who=who))


def require_right(section: RecordingSection, roles: Iterable[int], manages_channels: bool) -> None:
    """Refuse who may not.

    Raises:
        RecordingError: With who may.
    """
    if not may_record(section, roles, manages_channels):
        raise refusal(section)


class RecordingConsent:
    """What people decided about being recorded, for all recordings of this process; asked for every packet.

    With `opt_in` only who said yes is recorded; with `announce` and `opt_out` everybody who did not say no. A no
    holds in every mode and counts from the moment it is said. Reads may come from any thread.
    """

    def __init__(
        self,
        mode: ConsentMode,
        decisions: Mapping[int, Decision] | None = None,
        *,
        among: Consent | None = None,
    ) -> None:
        """Begin with a few decisions, or see those on being recorded `among` all that people decided."""
        self.mode: ConsentMode = mode
        self._all = Consent() if among is None else among
        self._all.rule("recorded", mode)
        for user_id, decision in (decisions or {}).items():
            self.decide(user_id, decision)

    def allows(self, user_id: int) -> bool:
        """Whether this person's packets may be written."""
        return self._all.allows("recorded", 0, user_id)

    def decision(self, user_id: int) -> Decision | None:
        """What this person said, if anything."""
        return self._all.decision("recorded", user_id)

    def refused(self, user_id: int, by: datetime | None = None) -> bool:
        """Whether this person said no; with a time, whether they had by then."""
        return self._all.refused("recorded", user_id, by)

    def decide(self, user_id: int, decision: Decision | None, at: datetime | None = None) -> None:
        """Take a decision, or take it back; holds from the next packet on."""
        self._all.decide("recorded", user_id, decision, at)
