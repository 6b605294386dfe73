"""One interaction: who did what where, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from loopback.world.guilds import Channel
    from loopback.world.messages import Message
    from loopback.world.users import User

FIRST_RESPONSE_S: Final = 3.0
TOKEN_S: Final = 900.0


class InteractionKind(IntEnum):
    """Discord's interaction types."""

    PING = 1
    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class Callback(IntEnum):
    """Discord's interaction callback types."""

    PONG = 1
    MESSAGE = 4
    DEFER = 5
    DEFER_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


ALLOWED_CALLBACKS: Final = {
    InteractionKind.PING: {Callback.PONG},
    InteractionKind.COMMAND: {Callback.MESSAGE, Callback.DEFER, Callback.MODAL},
    InteractionKind.COMPONENT: {
        Callback.MESSAGE,
        Callback.DEFER,
        Callback.DEFER_UPDATE,
        Callback.UPDATE,
        Callback.MODAL,
    },
    InteractionKind.AUTOCOMPLETE: {Callback.CHOICES},
    InteractionKind.MODAL_SUBMIT: {Callback.MESSAGE, Callback.DEFER, Callback.DEFER_UPDATE, Callback.UPDATE},
}


@dataclass(slots=True, eq=False)
class Interaction:
    """One interaction and everything that was answered to it.

    `source` is the message of the pressed component (or of the component that opened the modal). `messages` are the
    original response and the follow-ups, in the order a person sees them.
    """

    id: int
    token: str
    kind: InteractionKind
    bot: User
    user: User
    channel: Channel
    data: dict[str, Any]
    created_s: float
    source: Message | None = None
    parent: Interaction | None = None
    response: Callback | None = None
    original: Message | None = None
    messages: list[Message] = field(default_factory=list)
    modal: dict[str, Any] | None = None
    choices: list[dict[str, Any]] | None = None

    @property
    def application_id(self) -> int:
        """The application that gets this interaction; its id is its bot's."""
        return self.bot.id

    @property
    def name(self) -> str:
        """What a person did, for messages: "/voice join" or "press of 'stop'"."""
        if self.kind in (InteractionKind.COMMAND, InteractionKind.AUTOCOMPLETE):
            return "/" + " ".join(_path(self.data))
        verb = "submit" if self.kind is InteractionKind.MODAL_SUBMIT else "press"
        return f"{verb} of {self.data.get('custom_id')!r}"


def _path(data: dict[str, Any]) -> list[str]:
    names = [data["name"]]
    for option in data.get("options", ()):
        if option["type"] in (1, 2):
            names += _path(option)
    return names
