"""The one gate for what the bot does by itself: lockdown, then the day's budget, then consent; and the question to the model."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.errors import ModelError, ParleyError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence

    from core.clock import Clock
    from core.persona.budget import DayBudget
    from core.privacy.consent import Consent

_log = logging.getLogger(__name__)

Reason = Literal["lockdown", "budget", "consent", "busy", "model"]

AT_ONCE = 2  # questions under way: one that hangs does not hold up all others
LOOK_S = 0.25  # between two looks whether people's turns are over
PATIENCE_S = 300.0  # then a question is given up: its occasion is past
TOKENS_A_MESSAGE = 4  # that a chat template adds

LOCKED = "This gives way while I am in a voice channel, or is locked by an administrator."
SPENT = "I have spent today's tokens for what I do by myself ([persona] tokens_per_day)."
SERVER_SPENT = "This server has had its share of today's tokens for what I do by myself ([persona] server_share)."
REFUSED = "Somebody whose words this needs does not want to be observed."
BUSY = "People kept me busy until it was too late for this."
NO_MODEL = "I have no language model for this; add [model.routes.default] to config.toml."
NOTHING = "The model had nothing to say to this."

_SENTENCES = re.compile(r"^.*[.!?…。！？][\"'”’»)\]]*(?=\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Occasion:
    """A moment at which the bot would do something by itself.

    Args:
        feature: The name under which it takes part in the lockdown.
        guild_id: The server; None for direct messages.
        channel_id: Where it would be seen.
        people: Whose stored words the model would read; each of them must let themselves be observed.
    """

    feature: str
    guild_id: int | None
    channel_id: int
    people: frozenset[int] = frozenset()


class OccasionRefused(ParleyError):
    """The bot may not do this by itself just now; `reason` says which rule stands against it."""

    def __init__(self, sentence: str, reason: Reason) -> None:
        super().__init__(sentence)
        self.reason: Reason = reason


class TellsTokens(Protocol):
    """A message of a prompt, as far as its length counts."""

    @property
    def text(self) -> str:
        """The content as the model reads it."""
        ...


class OccasionDoors(Protocol):
    """The lockdown, as far as it is asked."""

    def locked(self, name: str, *, guild_id: int | None = None) -> bool:
        """Whether a feature gives way now, everywhere or on this server."""
        ...


class ModelRoutes(Protocol):
    """Who is asked: the model client."""

    @property
    def routes(self) -> Collection[str]:
        """The names of all routes."""
        ...

    def stream(
        self,
        messages: Sequence[Any],
        *,
        route: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        spent: Callable[[int], object] | None = None,
    ) -> AsyncGenerator[str]:
        """The answer as pieces of clean text; `spent` is told the tokens, if the server tells them."""
        ...


class Occasions:
    """Lets the bot do something by itself, or not, and asks the model for it. Lives on the runtime as `runtime.occasions`."""

    def __init__(
        self,
        budget: DayBudget,
        *,
        route: str,
        doors: OccasionDoors,
        consent: Consent,
        models: ModelRoutes,
        busy: Callable[[], bool],
        count_tokens: Callable[[str], int],
        clock: Clock,
    ) -> None:
        """Nothing is asked yet.

        Args:
            budget: The day's tokens.
            route: The model route that is asked if a question names none; empty takes the current one.
            doors: The lockdown.
            consent: What people decided.
            models: Who is asked.
            busy: Whether a turn of somebody's is under way or waits.
            count_tokens: Estimates the tokens of a text, where the server does not tell what was spent.
            clock: Time.
        """
        self._budget = budget
        self._route = route
        self._doors = doors
        self._consent = consent
        self._models = models
        self._busy = busy
        self._count_tokens = count_tokens
        self._clock = clock
        self._line = asyncio.Semaphore(AT_ONCE)

    @property
    def limit(self) -> int:
        """Tokens that all servers together may spend in a day."""
        return self._budget.limit

    def spent_today(self, guild_id: int | None) -> int:
        """Tokens that a server (None: direct messages) has spent today."""
        return self._budget.spent(guild_id)

    def lines(self, guild_id: int | None) -> list[str]:
        """What was spent today on a server, as sentences for `/persona status`."""
        return self._budget.lines(guild_id)

    def refusal(self, occasion: Occasion, tokens: int = 0) -> OccasionRefused | None:
        """Why this may not be done now: the lockdown is asked first, then the budget, then consent. None if it may.

        Args:
            occasion: What, where, and of whose words.
            tokens: What it would cost at most; 0 if no model is asked, which the budget does not stand against.
        """
        if self._doors.locked(occasion.feature, guild_id=occasion.guild_id):
            return OccasionRefused(LOCKED, "lockdown")
        if tokens:
            room = self._budget.room(occasion.guild_id)
            if tokens > room:
                of_all = tokens > self._budget.left
                return OccasionRefused(SPENT if of_all else SERVER_SPENT, "budget")
        if not all(self._consent.allows("observed", occasion.guild_id or 0, each) for each in occasion.people):
            return OccasionRefused(REFUSED, "consent")
        return None

    async def ask(
        self,
        occasion: Occasion,
        messages: Sequence[TellsTokens],
        *,
        max_tokens: int,
        temperature: float | None = None,
        route: str | None = None,
    ) -> str:
        """Ask the model, once people's turns are over, and return its answer as clean text.

        An answer that reaches `max_tokens` ends with its last whole sentence. It is text that others wrote: nothing in it
        may ping. Who shows it asks `refusal` again before: the answer may have taken a minute.

        Raises:
            OccasionRefused: Lockdown, budget or consent stands against it, now or when its turn comes; people's turns took
                too long; or the model failed or said nothing.
        """
        cost = max_tokens + sum(self._count_tokens(each.text) + TOKENS_A_MESSAGE for each in messages)
        self._require(occasion, cost)
        async with self._line:
            await self._wait()
            self._require(occasion, cost)
            account = self._budget.reserve(occasion.guild_id, occasion.feature, cost)
            said: list[str] = []
            told: list[int] = []
            try:
                answer = await self._answer(messages, max_tokens, temperature, route, said, told)
            finally:
                wrote = self._count_tokens("".join(said))
                await asyncio.shield(self._settle(account, max(told, default=cost - max_tokens + wrote)))
        refused = self.refusal(occasion)  # what was locked or refused meanwhile is not done after all
        if refused is not None:
            raise refused
        return answer

    def _require(self, occasion: Occasion, cost: int) -> None:
        refused = self.refusal(occasion, cost)
        if refused is not None:
            raise refused
        if not self._models.routes:
            raise OccasionRefused(NO_MODEL, "model")

    async def _wait(self) -> None:
        """Let people's turns go first."""
        until_s = self._clock.monotonic() + PATIENCE_S
        while self._busy():
            if self._clock.monotonic() >= until_s:
                raise OccasionRefused(BUSY, "busy")
            await self._clock.sleep(LOOK_S)

    async def _answer(
        self,
        messages: Sequence[TellsTokens],
        max_tokens: int,
        temperature: float | None,
        route: str | None,
        said: list[str],
        told: list[int],
    ) -> str:
        stream = self._models.stream(
            messages,
            route=route or self._route or None,
            temperature=temperature,
            max_tokens=max_tokens,
            spent=told.append,
        )
        try:
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    said.append(piece)  # noqa: PERF401 - what came before a failure counts
        except ModelError as error:
            whole = _SENTENCES.match("".join(said))
            if whole is None:
                raise OccasionRefused(error.sentence, "model") from error
            _log.info("an answer broke off, and ends with its last sentence: %s", error.sentence)
            return whole[0].strip()
        answer = "".join(said).strip()
        if not answer:
            raise OccasionRefused(NOTHING, "model")
        return answer

    async def _settle(self, account: Any, tokens: int) -> None:
        try:
            await self._budget.settle(account, tokens)
        except StoreError:  # it counts until the process ends; that a restart forgets it is for the log
            _log.exception("what was spent on %s cannot be written down", account.feature)
