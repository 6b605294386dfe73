"""The application commands a bot registered: global and by guild, with ids, versions and Discord's limits."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, Final

from loopback.errors import INVALID_FORM_BODY, ApiError, FormErrors
from loopback.interactions.command_form import CHAT_INPUT, check_command

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_COMMANDS: Final = {CHAT_INPUT: 100, 2: 15, 3: 15}
CREATES_A_DAY: Final = 200
_DAY_S: Final = 86_400

Scope = tuple[int, int | None]
"""An application and a guild, or None for its global commands."""


class CommandRegistry:
    """Every command of every application of this Discord.

    Args:
        next_id: Gives a fresh snowflake.
        clock: Seconds since some epoch; the daily limit is counted on it.
    """

    def __init__(self, next_id: Callable[[], int], clock: Callable[[], float] = time.time) -> None:
        self._next_id = next_id
        self._clock = clock
        self._commands: dict[Scope, dict[int, dict[str, Any]]] = defaultdict(dict)
        self._creates: dict[Scope, deque[float]] = defaultdict(deque)

    def all(self, application_id: int, guild_id: int | None = None) -> list[dict[str, Any]]:
        """The commands of one scope, as Discord lists them."""
        return list(self._commands[application_id, guild_id].values())

    def offered(self, application_id: int, guild_id: int | None) -> list[dict[str, Any]]:
        """What an application offers in a guild (its guild commands hide global ones of the same name) or in a DM."""
        by_name = {(command["type"], command["name"]): command for command in self.all(application_id)}
        if guild_id is not None:
            own = self.all(application_id, guild_id)
            by_name |= {(command["type"], command["name"]): command for command in own}
        return list(by_name.values())

    def applications(self) -> set[int]:
        """The applications that registered anything."""
        return {application_id for (application_id, _), commands in self._commands.items() if commands}

    def get(self, application_id: int, guild_id: int | None, command_id: int) -> dict[str, Any]:
        """One command; raises 10063 if there is none."""
        try:
            return self._commands[application_id, guild_id][command_id]
        except KeyError:
            raise ApiError(404, 10063, "Unknown application command") from None

    def overwrite(self, application_id: int, guild_id: int | None, body: object) -> list[dict[str, Any]]:
        """Replace a whole scope. Commands of an existing name keep their id and do not count as created.

        Raises:
            ApiError: 50035 with the errors of every command, 30032 over 100 commands, 30034 over 200 creates a day.
        """
        errors = FormErrors()
        if not isinstance(body, list):
            errors.add((), "LIST_TYPE_CONVERT", "Could not interpret value as list.")
            raise _invalid(errors)
        forms = [check_command(raw, errors, (index,)) for index, raw in enumerate(body)]
        seen: set[tuple[int, str]] = set()
        for index, form in enumerate(forms):
            key = (form.get("type", CHAT_INPUT), form.get("name", ""))
            if key in seen:
                message = "Application command names must be unique"
                errors.add((index,), "APPLICATION_COMMANDS_DUPLICATE_NAME", message)
            seen.add(key)
        if errors:
            raise _invalid(errors)
        scope = (application_id, guild_id)
        _check_count(forms)
        self._count_creates(scope, sum(self._named(scope, form) is None for form in forms))
        stored = [self._stored(scope, form, self._named(scope, form)) for form in forms]
        self._commands[scope] = {int(command["id"]): command for command in stored}
        return stored

    def create(self, application_id: int, guild_id: int | None, body: object) -> tuple[dict[str, Any], bool]:
        """Add one command, or overwrite the one of that name. Returns it and whether it is new."""
        errors = FormErrors()
        form = check_command(body, errors)
        if errors:
            raise _invalid(errors)
        scope = (application_id, guild_id)
        old = self._named(scope, form)
        if old is None:
            _check_count([*self._commands[scope].values(), form])
            self._count_creates(scope, 1)
        command = self._stored(scope, form, old)
        self._commands[scope][int(command["id"])] = command
        return command, old is None

    def edit(self, application_id: int, guild_id: int | None, command_id: int, body: object) -> dict[str, Any]:
        """Change the given fields of one command."""
        old = self.get(application_id, guild_id, command_id)
        errors = FormErrors()
        changed = {key: value for key, value in (body if isinstance(body, dict) else {}).items() if key != "type"}
        form = check_command({**old, **changed}, errors)
        if errors:
            raise _invalid(errors)
        scope = (application_id, guild_id)
        other = self._named(scope, form)
        if other is not None and other is not old:
            errors.add(("name",), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
            raise _invalid(errors)
        command = self._stored(scope, form, old)
        self._commands[scope][command_id] = command
        return command

    def delete(self, application_id: int, guild_id: int | None, command_id: int) -> None:
        """Remove one command; raises 10063 if there is none."""
        self.get(application_id, guild_id, command_id)
        del self._commands[application_id, guild_id][command_id]

    def _named(self, scope: Scope, form: dict[str, Any]) -> dict[str, Any] | None:
        key = (form["type"], form["name"])
        commands = self._commands[scope].values()
        return next((command for command in commands if (command["type"], command["name"]) == key), None)

    def _stored(self, scope: Scope, form: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        application_id, guild_id = scope
        ids = {"application_id": str(application_id)}
        if guild_id is not None:
            ids["guild_id"] = str(guild_id)
            form = {key: value for key, value in form.items() if key not in ("dm_permission", "contexts")}
        if old is not None and form.items() <= old.items() and ("options" in form) == ("options" in old):
            return old  # the version of an unchanged command stays
        command_id = old["id"] if old else str(self._next_id())
        return {"id": command_id, "version": str(self._next_id()), **ids, **form}

    def _count_creates(self, scope: Scope, count: int) -> None:
        recent = self._creates[scope]
        now = self._clock()
        while recent and recent[0] <= now - _DAY_S:
            recent.popleft()
        if len(recent) + count > CREATES_A_DAY:
            message = f"Max number of daily application command creates has been reached ({CREATES_A_DAY})"
            raise ApiError(400, 30034, message)
        recent.extend([now] * count)


def _check_count(forms: list[dict[str, Any]]) -> None:
    for kind, most in MAX_COMMANDS.items():
        if sum(form["type"] == kind for form in forms) > most:
            raise ApiError(400, 30032, f"Maximum number of application commands reached ({most})")


def _invalid(errors: FormErrors) -> ApiError:
    return ApiError(400, INVALID_FORM_BODY, "Invalid Form Body", errors.tree)
