"""The life of an interaction: a token, one first response within 3 seconds, follow-ups for 15 minutes."""

from __future__ import annotations

import base64
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from loopback.errors import ApiError
from loopback.interactions.interaction import FIRST_RESPONSE_S, TOKEN_S, Interaction
from loopback.interactions.payload import payload
from loopback.waiting import Bell

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.interactions.interaction import InteractionKind
    from loopback.world.guilds import Channel
    from loopback.world.messages import Message
    from loopback.world.users import User
    from loopback.world.world import World

TOKEN_PREFIX: Final = "aW50ZXJhY3Rpb246"  # noqa: S105 (base64 of "interaction:", as real tokens begin; opens nothing)


class Interactions:
    """Every interaction of this Discord.

    Attributes:
        bell: Rings whenever anything was answered or happened in the world; people wait on it.

    Args:
        world: Gives ids, and rings the bell with every event.
        dispatch: Sends an event to every gateway session of an application: `(application_id, name, data)`.
        clock: Seconds on a clock that never goes back; the 3 seconds and the 15 minutes are measured on it.
    """

    def __init__(
        self,
        world: World,
        dispatch: Callable[[int, str, dict[str, Any]], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._next_id = world.ids.next
        self._dispatch = dispatch
        self._clock = clock
        self.bell = Bell()
        self._by_id: dict[int, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}
        world.on_event(lambda *_: self.bell.ring())

    def open(
        self,
        kind: InteractionKind,
        bot: User,
        user: User,
        channel: Channel,
        data: dict[str, Any],
        *,
        source: Message | None = None,
        parent: Interaction | None = None,
    ) -> Interaction:
        """Make an interaction and send it to the application."""
        interaction_id = self._next_id()
        secret = f"{interaction_id}:{secrets.token_hex(24)}".encode()
        token = TOKEN_PREFIX + base64.urlsafe_b64encode(secret).decode().rstrip("=")
        interaction = Interaction(
            interaction_id, token, kind, bot, user, channel, data, self._clock(), source=source, parent=parent
        )
        self._by_id[interaction_id] = self._by_token[token] = interaction
        self._dispatch(bot.id, "INTERACTION_CREATE", payload(interaction))
        return interaction

    def failed(self, interaction: Interaction) -> bool:
        """Whether the application let the 3 seconds pass: the person sees that it did not respond."""
        return interaction.response is None and self._age_s(interaction) > FIRST_RESPONSE_S

    def to_respond(self, interaction_id: int, token: str) -> Interaction:
        """The interaction a callback may answer.

        Raises:
            ApiError: 10062 if there is none or its 3 seconds are over, 40060 if it was answered already.
        """
        interaction = self._by_id.get(interaction_id)
        if interaction is None or interaction.token != token or self.failed(interaction):
            raise ApiError(404, 10062, "Unknown interaction")
        if interaction.response is not None:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        return interaction

    def by_token(self, application_id: int, token: str) -> Interaction:
        """The answered interaction of a webhook route.

        Raises:
            ApiError: 10015 if there is none or nothing was answered yet, 50027 after 15 minutes.
        """
        interaction = self._by_token.get(token)
        if interaction is None or interaction.application_id != application_id or interaction.response is None:
            raise ApiError(404, 10015, "Unknown Webhook")
        if self._age_s(interaction) > TOKEN_S:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        return interaction

    def _age_s(self, interaction: Interaction) -> float:
        return self._clock() - interaction.created_s
