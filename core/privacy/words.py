"""What people read about their data and their decisions, as Discord's markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.privacy.consent import Consent
    from core.privacy.service import Deletion, Settled
    from core.store.decisions import Decision, Kind

USES: dict[Kind, str] = {
    "recorded": "recorded",
    "heard": "heard",
    "observed": "observed",
    "trained_on": "trained on",
}
REFUSED, TAKES_BACK = "You are not {uses} any more, anywhere.", "`/privacy opt-in` takes that back."
AGREED = "Thank you: from now on you may be {uses}. `/privacy opt-out` takes that back."
NOTHING_OF_YOU = "I keep nothing of you that could be deleted."
STAYS = "What you decided stays, so that I can respect it. `/privacy opt-out` keeps you off new recordings."
SAID: dict[Decision | None, str] = {
    "in": "You agreed to be {use}.",
    "out": "You asked not to be {use}.",
    None: "You have not said whether you want to be {use}.",
}


def uses(kinds: Sequence[Kind], last: str) -> str:
    """Kinds in a sentence: “recorded, heard or observed”."""
    names = [USES[kind] for kind in kinds]
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)


def decided_text(decision: Decision, kinds: Sequence[Kind], settled: Settled) -> str:
    """What became of a decision: what holds, what was deleted, and where it is kept if not where it should be."""
    if decision == "in":
        parts = [AGREED.format(uses=uses(kinds, "and")), *settled.failed]
    else:
        parts = [REFUSED.format(uses=uses(kinds, "or")), *settled.done, *settled.failed, TAKES_BACK]
    return " ".join(part for part in (*parts, settled.kept) if part)


def said_text(consent: Consent, kind: Kind, user_id: int) -> str:
    """What somebody said about one kind of use."""
    return SAID[consent.decision(kind, user_id)].format(use=USES[kind])


def deleted_text(deletion: Deletion) -> str:
    """What became of a wish to be deleted."""
    done = deletion.done or (() if deletion.failed else (NOTHING_OF_YOU,))
    return "\n".join(part for part in (*done, *deletion.failed, deletion.owed, STAYS) if part)
