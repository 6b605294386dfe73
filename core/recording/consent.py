"""Who may be recorded: the mode, and what people decided. Asked for every packet, so it is two set lookups."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.config.recording import ConsentMode
    from core.store.recordings import Decision


class Consent:
    """People's decisions, for all recordings of this process.

    With `opt_in` only who said yes is recorded; with `announce` and `opt_out` everybody who did not say no. A no
    holds in every mode and counts from the moment it is said. Reads may come from any thread.
    """

    def __init__(self, mode: ConsentMode, decisions: Mapping[int, Decision] | None = None) -> None:
        self.mode: ConsentMode = mode
        self._in = {user_id for user_id, decision in (decisions or {}).items() if decision == "in"}
        self._out = {user_id for user_id, decision in (decisions or {}).items() if decision == "out"}

    def allows(self, user_id: int) -> bool:
        """Whether this person's packets may be written."""
        return user_id in self._in if self.mode == "opt_in" else user_id not in self._out

    def decision(self, user_id: int) -> Decision | None:
        """What this person said, if anything."""
        return "out" if user_id in self._out else "in" if user_id in self._in else None

    def refused(self, user_id: int) -> bool:
        """Whether this person said no."""
        return user_id in self._out

    def decide(self, user_id: int, decision: Decision | None) -> None:
        """Take a decision, or take it back; holds from the next packet on."""
        if decision == "out":
            self._out.add(user_id)
        else:
            self._out.discard(user_id)
        if decision == "in":
            self._in.add(user_id)
        else:
            self._in.discard(user_id)
