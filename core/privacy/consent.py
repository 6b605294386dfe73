"""Keeps what people decided in memory: asked at the moment of use, from any thread, without waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.store.decisions import KINDS, Decided

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Literal

    from core.store.decisions import Decision, Kind

    Mode = Literal["announce", "opt_in", "opt_out"]
    Rule = Callable[[int], Mode]  # the mode of a server, by its id

_UNSAID: dict[Kind, Mode] = {"recorded": "announce", "heard": "opt_out", "observed": "opt_in", "trained_on": "opt_in"}


class Consent:
    """The four decisions: to be `recorded`, `heard`, `observed`, `trained_on`.

    A person's word holds on every server until it is taken back. Where somebody said nothing, the mode of the kind
    decides: with `opt_in` that is a no, with `announce` and `opt_out` a yes. The room that does the thing sets the mode
    (`rule`) and asks `allows` whenever it is about to do it.
    """

    def __init__(self) -> None:
        self._decided: dict[Kind, dict[int, Decided]] = {kind: {} for kind in KINDS}
        self._rules: dict[Kind, Rule] = {kind: _always(mode) for kind, mode in _UNSAID.items()}

    def rule(self, kind: Kind, mode: Mode | Rule) -> None:
        """Say what holds for those who said nothing: one mode, or a function that returns a server's."""
        self._rules[kind] = mode if callable(mode) else _always(mode)

    def allows(self, kind: Kind, guild_id: int, user_id: int) -> bool:
        """Whether this may be done with this person, here and now."""
        decided = self._decided[kind].get(user_id)
        if decided is not None:
            return decided.decision == "in"
        return self._rules[kind](guild_id) != "opt_in"

    def decision(self, kind: Kind, user_id: int) -> Decision | None:
        """What this person said, if anything."""
        decided = self._decided[kind].get(user_id)
        return None if decided is None else decided.decision

    def decided_at(self, kind: Kind, user_id: int) -> datetime | None:
        """When this person said it."""
        decided = self._decided[kind].get(user_id)
        return None if decided is None else decided.at

    def refused(self, kind: Kind, user_id: int, by: datetime | None = None) -> bool:
        """Whether this person said no; with a time, whether they had by then."""
        decided = self._decided[kind].get(user_id)
        if decided is None or decided.decision != "out":
            return False
        return by is None or decided.at is None or decided.at <= by

    def decide(self, kind: Kind, user_id: int, decision: Decision | None, at: datetime | None = None) -> None:
        """Take a decision, or take it back; holds from this moment on, in this process. `Privacy.decide` keeps it too."""
        if decision is None:
            self._decided[kind].pop(user_id, None)
        else:
            self._decided[kind][user_id] = Decided(user_id, kind, decision, at)


def _always(mode: Mode) -> Rule:
    return lambda _: mode
