"""Turns what an application answers to an interaction into messages: public, ephemeral, deferred, follow-ups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from loopback.errors import ApiError
from loopback.interactions.interaction import Callback, Interaction, InteractionKind
from loopback.world.messages import COMMAND_ANSWER, EPHEMERAL, LOADING, Draft, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loopback.world.board import Board
    from loopback.world.messages import Upload
    from loopback.world.users import User

_MENU_ANSWER: Final = 23
_SLASH: Final = 1


class Answers:
    """Writes the messages of interactions.

    Ephemeral messages are composed but never posted: they are in no history and no event tells of them.
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    def respond(
        self, interaction: Interaction, callback: Callback, data: dict[str, Any], draft: Draft, changes: dict[str, Any]
    ) -> None:
        """Carry out a first response.

        Args:
            interaction: What is answered.
            callback: How.
            data: The callback's data, for modals and choices.
            draft: The message in it, if it is one.
            changes: The fields of it to change, if it updates the component's message.
        """
        interaction.response = callback
        if callback is Callback.MESSAGE:
            interaction.original = self._write(interaction, draft)
        elif callback is Callback.DEFER:
            interaction.original = self._write(interaction, Draft(flags=(draft.flags & EPHEMERAL) | LOADING))
        elif callback is Callback.DEFER_UPDATE:
            interaction.original = interaction.source
        elif callback is Callback.UPDATE and interaction.source is not None:
            interaction.original = self._board.edit(interaction.source, changes, draft.uploads)
        elif callback is Callback.CHOICES:
            interaction.choices = data["choices"]
        elif callback is Callback.MODAL:
            interaction.modal = data

    def follow_up(self, interaction: Interaction, draft: Draft) -> Message:
        """Post one more message; right after a deferral it fills the waiting one instead, as Discord does."""
        original = interaction.original
        if original is not None and original.flags & LOADING and not original.deleted:
            changes = {"content": draft.content, "embeds": draft.embeds, "components": draft.components}
            if draft.allowed_mentions is not None:
                changes["allowed_mentions"] = draft.allowed_mentions
            return self.edit(original, changes, draft.uploads)
        return self._write(interaction, draft, follows=True)

    @staticmethod
    def find(interaction: Interaction, message_id: int | None) -> Message:
        """The original response (None) or a follow-up; raises 10008 if there is none, 10015 if none was made."""
        if message_id is None:
            if interaction.original is None:
                raise ApiError(404, 10015, "Unknown Webhook")
            found = interaction.original
        else:
            known = [*interaction.messages, *([interaction.original] if interaction.original else [])]
            found = next((message for message in known if message.id == message_id), None)
        if found is None or found.deleted:
            raise ApiError(404, 10008, "Unknown Message")
        return found

    def edit(self, message: Message, changes: Mapping[str, Any], uploads: Iterable[Upload] = ()) -> Message:
        """Change a response or follow-up; a deferred one stops loading and pings as if it were new."""
        was_loading = bool(message.flags & LOADING)
        if was_loading:
            changes = {**changes, "flags": (changes.get("flags", message.flags) | message.flags) & ~LOADING}
        self._board.edit(message, changes, uploads)
        if was_loading:
            message.pings = replace(message.mentions)
        return message

    def delete(self, message: Message) -> None:
        """Take a response or follow-up away."""
        self._board.delete(message)

    def _write(self, interaction: Interaction, draft: Draft, *, follows: bool = False) -> Message:
        refers_to = _refers_to(interaction, follows=follows)
        draft = replace(draft, reply_to=refers_to)
        message = self._board.compose(
            interaction.channel, interaction.bot, draft, application_id=interaction.application_id
        )
        if not follows and interaction.kind is InteractionKind.COMMAND:
            message.kind = COMMAND_ANSWER if interaction.data.get("type", _SLASH) == _SLASH else _MENU_ANSWER
        message.interaction_metadata = metadata(interaction)
        if follows and interaction.original is not None:
            message.interaction_metadata["original_response_message_id"] = str(interaction.original.id)
        interaction.messages.append(message)
        if not message.is_ephemeral:
            self._board.post(message)
        return message


def _refers_to(interaction: Interaction, *, follows: bool) -> Message | None:
    """The message an answer shows as the one replied to: the component's, or for a follow-up the original."""
    target = interaction.original if follows else interaction.source
    usable = target is not None and not target.deleted and not target.is_ephemeral
    return target if usable else None


def may_see(message: Message, user: User) -> bool:
    """Whether a message's own visibility lets the user see it: ephemeral ones are for who asked."""
    asked_by = (message.interaction_metadata or {}).get("user", {}).get("id")
    return not message.is_ephemeral or asked_by == str(user.id)


def metadata(interaction: Interaction) -> dict[str, Any]:
    """Discord's message interaction metadata object."""
    guild_id = interaction.channel.guild_id
    shown: dict[str, Any] = {
        "id": str(interaction.id),
        "type": int(interaction.kind),
        "user": interaction.user.to_json(),
        "authorizing_integration_owners": {"0": "0" if guild_id is None else str(guild_id)},
    }
    if interaction.kind is InteractionKind.COMMAND:
        shown |= {"name": interaction.name.removeprefix("/"), "command_type": interaction.data.get("type", _SLASH)}
    elif interaction.kind is InteractionKind.COMPONENT and interaction.source is not None:
        shown["interacted_message_id"] = str(interaction.source.id)
    elif interaction.parent is not None:
        shown["triggering_interaction_metadata"] = metadata(interaction.parent)
    return shown


def callback_answer(interaction: Interaction) -> dict[str, Any]:
    """What `with_response=true` answers: the interaction, and the message it made or changed."""
    callback = interaction.response
    shown: dict[str, Any] = {"id": str(interaction.id), "type": int(interaction.kind)}
    resource: dict[str, Any] = {"type": int(callback or 0)}
    message = interaction.original
    if message is not None and callback is not Callback.DEFER_UPDATE:
        shown |= {
            "response_message_id": str(message.id),
            "response_message_loading": bool(message.flags & LOADING),
            "response_message_ephemeral": message.is_ephemeral,
        }
        resource["message"] = message.to_json()
    return {"interaction": shown, "resource": resource}
