"""A person's use of applications: slash commands, menus, autocomplete, buttons, selects and modals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loopback.interactions import component_types
from loopback.interactions.command_form import ATTACHMENT, CHANNEL, MENTIONABLE, MESSAGE_MENU, ROLE, USER, USER_MENU
from loopback.interactions.interaction import InteractionKind
from loopback.people import components
from loopback.people.picker import Picker
from loopback.people.refused import Refused
from loopback.people.seen_interaction import PersonInteraction
from loopback.people.slash_menu import SlashMenu
from loopback.people.writing import Writing
from loopback.world.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loopback.interactions.interaction import Interaction
    from loopback.people.picker import Resolved
    from loopback.world.guilds import Channel
    from loopback.world.messages import Message
    from loopback.world.users import User

_OPTION_OF_SELECT: Final = {
    component_types.USER_SELECT: USER,
    component_types.ROLE_SELECT: ROLE,
    component_types.MENTIONABLE_SELECT: MENTIONABLE,
    component_types.CHANNEL_SELECT: CHANNEL,
    component_types.FILE_UPLOAD: ATTACHMENT,
}


class Interacting(Writing):
    """Runs commands and uses components, within what the client offers."""

    def menu(self, channel: Channel) -> list[str]:
        """The slash commands the client offers in a channel, groups unfolded: `["voice join", ...]`."""
        return self._menu(channel).lines()

    async def slash(
        self, channel: Channel, command: str, /, *, _bot: User | None = None, **options: object
    ) -> PersonInteraction:
        """Run a slash command such as "voice join".

        Args:
            channel: Where.
            command: Name, group and subcommand, with or without the slash.
            _bot: Whose, if several applications offer one of that name.
            options: By name. Choices by name or value; users, channels, roles as objects of the world; files as
                `(name, data, content_type)`.

        Raises:
            Refused: If the client does not offer the command or would not send these options.
        """
        bot, data = self._menu(channel).slash(command, options, self._picker(channel), bot=_bot)
        return self._open(InteractionKind.COMMAND, bot, channel, data)

    async def autocomplete(
        self,
        channel: Channel,
        command: str,
        option: str,
        partial: str,
        /,
        *,
        _bot: User | None = None,
        timeout: float = 3.0,
        **others: object,
    ) -> list[dict[str, Any]]:
        """Type into an option and return the choices the application offers, as `{"name", "value"}`."""
        given = {**others, option: partial}
        menu = self._menu(channel)
        bot, data = menu.slash(command, given, self._picker(channel), bot=_bot, focused=option)
        return await self._open(InteractionKind.AUTOCOMPLETE, bot, channel, data).choices(timeout)

    async def message_menu(self, message: Message, command: str) -> PersonInteraction:
        """Run a message command ("Apps" in a message's menu)."""
        self._must_see(message)
        resolved = {"messages": {str(message.id): message.to_json(self.user)}}
        bot, data = self._menu(message.channel).menu(command, MESSAGE_MENU, message.id, resolved)
        return self._open(InteractionKind.COMMAND, bot, message.channel, data)

    async def user_menu(self, channel: Channel, user: User, command: str) -> PersonInteraction:
        """Run a user command ("Apps" in a user's menu)."""
        resolved = self._picker(channel).user(user)
        bot, data = self._menu(channel).menu(command, USER_MENU, user.id, resolved)
        return self._open(InteractionKind.COMMAND, bot, channel, data)

    async def press(self, message: Message, button: str) -> PersonInteraction:
        """Press the button with that label, custom id or emoji."""
        self._must_see(message)
        found = components.find_button(message.components, button)
        data = {"component_type": component_types.BUTTON, "custom_id": found["custom_id"], "id": found.get("id", 1)}
        return self._open(InteractionKind.COMPONENT, message.author, message.channel, data, source=message)

    async def select(self, message: Message, *values: object, custom_id: str | None = None) -> PersonInteraction:
        """Choose in a select: options by label or value, or users, roles and channels.

        `custom_id` (or the placeholder) is needed only if the message has several.
        """
        self._must_see(message)
        found = components.find_select(message.components, custom_id)
        chosen, resolved = self._chosen(found, values, message.channel)
        data = {
            "component_type": found["type"],
            "custom_id": found["custom_id"],
            "id": found.get("id", 1),
            "values": chosen,
        }
        if resolved:
            data["resolved"] = resolved
        return self._open(InteractionKind.COMPONENT, message.author, message.channel, data, source=message)

    async def submit(self, interaction: PersonInteraction, /, **values: object) -> PersonInteraction:
        """Fill in and send the modal an interaction opened.

        Args:
            interaction: The one that was answered with a modal; waited for as long as the client does.
            values: By the field's label or custom id: text, or for selects and the like a value or a list of them.
        """
        modal = await interaction.modal()
        fields = components.modal_fields(modal)
        by_name = {str(field["label"]): custom_id for custom_id, field in fields.items() if field.get("label")}
        given = {by_name.get(name, name): value for name, value in values.items()}
        unknown = given.keys() - fields.keys()
        if unknown:
            raise Refused(f"the modal has no field {sorted(unknown)}; it has {[*by_name, *fields]}")
        raw = interaction.raw
        answers: dict[str, dict[str, Any]] = {}
        resolved: Resolved = {}
        for custom_id, field in fields.items():
            answers[custom_id], found = self._field_answer(field, given.get(custom_id), raw.channel)
            for category, entries in found.items():
                resolved.setdefault(category, {}).update(entries)
        data = {"custom_id": modal["custom_id"], "components": components.submitted(modal, answers)}
        if resolved:
            data["resolved"] = resolved
        kind = InteractionKind.MODAL_SUBMIT
        return self._open(kind, raw.bot, raw.channel, data, source=raw.source, parent=raw)

    def _field_answer(
        self, field: Mapping[str, Any], value: object, channel: Channel
    ) -> tuple[dict[str, Any], Resolved]:
        kind = field["type"]
        if kind == component_types.TEXT_INPUT:
            return {"value": components.check_text(field, field.get("value") or "" if value is None else value)}, {}
        if kind == component_types.CHECKBOX:
            return {"value": bool(field.get("default") if value is None else value)}, {}
        many = value if isinstance(value, list) else [] if value is None else [value]
        chosen, resolved = self._chosen(field, many, channel)
        if kind == component_types.RADIO_GROUP:
            return {"value": chosen[0] if chosen else None}, resolved
        return {"values": chosen}, resolved

    def _chosen(
        self, select: Mapping[str, Any], values: Sequence[object], channel: Channel
    ) -> tuple[list[Any], Resolved]:
        picked = components.pick(select, values)
        if select["type"] not in _OPTION_OF_SELECT:
            return picked, {}
        option = {"type": _OPTION_OF_SELECT[select["type"]], "channel_types": select.get("channel_types")}
        ids: list[Any] = []
        resolved: Resolved = {}
        for value in picked:
            value_id, found = self._picker(channel).resolve(option, value)
            ids.append(value_id)
            for category, entries in found.items():
                resolved.setdefault(category, {}).update(entries)
        return ids, resolved

    def _menu(self, channel: Channel) -> SlashMenu:
        self._must_have(channel, Permission.VIEW_CHANNEL)
        self._must_not_be_timed_out(channel)
        return SlashMenu(self.world, self.loopback.registry, self.user, channel)

    def _picker(self, channel: Channel) -> Picker:
        return Picker(self.world.messages, self.user, channel)

    def _open(
        self,
        kind: InteractionKind,
        bot: User,
        channel: Channel,
        data: dict[str, Any],
        *,
        source: Message | None = None,
        parent: Interaction | None = None,
    ) -> PersonInteraction:
        interactions = self.loopback.interactions
        before = 0 if source is None else len(source.revisions)
        raw = interactions.open(kind, bot, self.user, channel, data, source=source, parent=parent)
        return PersonInteraction(interactions, raw, source_revisions=before)
