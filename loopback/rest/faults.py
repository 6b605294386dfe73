"""Faults on demand for REST and the main gateway."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopback.gateway.gateway import Gateway
    from loopback.world.users import User


@dataclass(slots=True)
class Rule:
    """A fault for requests that match `METHOD /path` (shell wildcards, the path without `/api/v10`).

    `times` None means until it is taken away.
    """

    pattern: str
    times: int | None
    delay_s: float = 0.0
    status: int | None = None
    retry_after_s: float | None = None
    is_global: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """What is to happen to one request."""

    delay_s: float = 0.0
    status: int | None = None
    retry_after_s: float | None = None
    is_global: bool = False


class Faults:
    """Knobs that make this Discord misbehave as the public one does at times."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._rules: list[Rule] = []

    def slow(self, pattern: str, delay_s: float, *, times: int | None = None) -> Rule:
        """Answer matching requests late."""
        return self._add(Rule(pattern, times, delay_s=delay_s))

    def fail(self, pattern: str, *, status: int = 500, times: int | None = 1) -> Rule:
        """Answer the next matching requests with a server error."""
        return self._add(Rule(pattern, times, status=status))

    def limit(
        self, pattern: str, *, retry_after_s: float = 0.3, times: int | None = 1, is_global: bool = False
    ) -> Rule:
        """Answer the next matching requests with 429."""
        return self._add(Rule(pattern, times, retry_after_s=retry_after_s, is_global=is_global))

    def remove(self, rule: Rule) -> None:
        """Take one fault away; no effect if it has run out."""
        if rule in self._rules:
            self._rules.remove(rule)

    def clear(self) -> None:
        """Take every REST fault away and answer heartbeats again."""
        self._rules.clear()
        self._gateway.answers_heartbeats = True

    def due(self, method: str, path: str) -> Due:
        """What is to happen to a request that just came in; counts it."""
        delay_s = 0.0
        for rule in list(self._rules):
            if not fnmatchcase(f"{method} {path}", rule.pattern):
                continue
            self._count(rule)
            delay_s += rule.delay_s
            if rule.status is not None or rule.retry_after_s is not None:
                return Due(delay_s, rule.status, rule.retry_after_s, rule.is_global)
        return Due(delay_s)

    async def drop_gateway(self, user: User, *, resumable: bool = True) -> None:
        """Cut the user's gateway connections without a close frame; not resumable also forgets the sessions."""
        await self._gateway.drop(user, resumable=resumable)

    def ask_to_reconnect(self, user: User) -> None:
        """Send op 7: the client must reconnect and resume."""
        self._gateway.ask_to_reconnect(user)

    def invalidate_session(self, user: User, *, resumable: bool = False) -> None:
        """Send op 9; unless resumable the session is forgotten."""
        self._gateway.invalidate(user, resumable=resumable)

    def ignore_heartbeats(self) -> None:
        """Stop acknowledging heartbeats, so that clients take their connection for dead."""
        self._gateway.answers_heartbeats = False

    def _add(self, rule: Rule) -> Rule:
        self._rules.append(rule)
        return rule

    def _count(self, rule: Rule) -> None:
        if rule.times is not None:
            rule.times -= 1
            if rule.times <= 0:
                self._rules.remove(rule)
