"""Who may be recorded: the mode, and what people decided. Asked for every packet, so it is two look-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.privacy.consent import Consent as Decisions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from core.config.recording import ConsentMode
    from core.store.decisions import Decision


class Consent:
    """What people decided about being recorded, for all recordings of this process.

    With `opt_in` only who said yes is recorded; with `announce` and `opt_out` everybody who did not say no. A no
    holds in every mode and counts from the moment it is said. Reads may come from any thread.
    """

    def __init__(
        self,
        mode: ConsentMode,
        decisions: Mapping[int, Decision] | None = None,
        *,
        among: Decisions | None = None,
    ) -> None:
        """Begin with a few decisions, or see those on being recorded `among` all that people decided."""
        self.mode: ConsentMode = mode
        self._all = Decisions() if among is None else among
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
