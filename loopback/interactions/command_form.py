"""Checks an application command as Discord does, and returns the form it is stored and answered in."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from loopback.errors import FormErrors

CHAT_INPUT: Final = 1
USER_MENU: Final = 2
MESSAGE_MENU: Final = 3

SUBCOMMAND: Final = 1
GROUP: Final = 2
STRING: Final = 3
INTEGER: Final = 4
BOOLEAN: Final = 5
USER: Final = 6
CHANNEL: Final = 7
ROLE: Final = 8
MENTIONABLE: Final = 9
NUMBER: Final = 10
ATTACHMENT: Final = 11

MAX_OPTIONS: Final = 25
MAX_CHOICES: Final = 25
MAX_COMMAND_CHARACTERS: Final = 8000
_MAX_SAFE_INTEGER: Final = 2**53

Path = tuple[str | int, ...]


def check_command(raw: Any, errors: FormErrors, path: Path = ()) -> dict[str, Any]:
    """Check one command payload.

    Args:
        raw: The decoded JSON a bot sent.
        errors: Takes what is wrong; the result means nothing if there is anything.
        path: Where the command stands in the body (its index in a bulk overwrite).

    Returns:
        The command with every field Discord answers, except ids and version.
    """
    if not isinstance(raw, dict):
        errors.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return {}
    kind = raw.get("type", CHAT_INPUT)
    if kind not in (CHAT_INPUT, USER_MENU, MESSAGE_MENU):
        errors.add((*path, "type"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4}.")
    command: dict[str, Any] = {
        "type": kind,
        "name": _check_name(raw, errors, path, slash=kind == CHAT_INPUT),
        "name_localizations": raw.get("name_localizations"),
        "description_localizations": raw.get("description_localizations"),
        "default_member_permissions": _check_permissions(raw, errors, path),
        "dm_permission": raw.get("dm_permission", True) is not False,
        "contexts": _check_numbers(raw, "contexts", {0, 1, 2}, errors, path),
        "integration_types": _check_numbers(raw, "integration_types", {0, 1}, errors, path) or [0],
        "nsfw": bool(raw.get("nsfw", False)),
    }
    if kind == CHAT_INPUT:
        command["description"] = _check_description(raw, errors, path)
        options = _check_options(raw, errors, path, depth=0)
        if options:
            command["options"] = options
        if _characters(command) > MAX_COMMAND_CHARACTERS:
            message = f"Command exceeds maximum size ({MAX_COMMAND_CHARACTERS})"
            errors.add(path, "APPLICATION_COMMAND_TOO_LARGE", message)
    else:
        command["description"] = ""
        if raw.get("description"):
            errors.add((*path, "description"), "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION", "Must be empty")
    return command


def _check_name(raw: dict[str, Any], errors: FormErrors, path: Path, *, slash: bool) -> str:
    name = raw.get("name")
    here = (*path, "name")
    if name is None:
        errors.required(here)
        return ""
    if not isinstance(name, str):
        errors.add(here, "STRING_TYPE_CONVERT", "Could not interpret value as string.")
        return ""
    if not 1 <= len(name) <= 32:
        errors.length(here, 1, 32)
    elif slash and not all(map(_may_stand_in_a_name, name)):
        errors.add(here, "STRING_TYPE_REGEX", "String value did not match validation regex.")
    elif slash and name != name.lower():
        errors.add(here, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    return name


def _may_stand_in_a_name(character: str) -> bool:
    r"""Discord's rule is `^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$`; `re` knows no scripts."""
    if character in "-_'" or unicodedata.category(character)[0] in "LN":
        return True
    return unicodedata.name(character, "").startswith(("DEVANAGARI", "THAI"))


def _check_description(raw: dict[str, Any], errors: FormErrors, path: Path) -> str:
    text = raw.get("description")
    here = (*path, "description")
    if text is None:
        errors.required(here)
        return ""
    if not isinstance(text, str):
        errors.add(here, "STRING_TYPE_CONVERT", "Could not interpret value as string.")
        return ""
    if not 1 <= len(text) <= 100:
        errors.length(here, 1, 100)
    return text


def _check_permissions(raw: dict[str, Any], errors: FormErrors, path: Path) -> str | None:
    value = raw.get("default_member_permissions")
    if value is None:
        return None
    try:
        return str(int(value))
    except (TypeError, ValueError):
        here = (*path, "default_member_permissions")
        errors.add(here, "BITFIELD_TYPE_CONVERT", f'Value "{value}" is not a bit field.')
        return None


def _check_numbers(
    raw: dict[str, Any], key: str, allowed: set[int], errors: FormErrors, path: Path
) -> list[int] | None:
    values = raw.get(key)
    if values is None:
        return None
    if not isinstance(values, list):
        errors.add((*path, key), "LIST_TYPE_CONVERT", "Could not interpret value as list.")
        return None
    for index, value in enumerate(values):
        if value not in allowed:
            errors.add((*path, key, index), "BASE_TYPE_CHOICES", f"Value must be one of {allowed}.")
    return list(values)


def _check_options(raw: dict[str, Any], errors: FormErrors, path: Path, *, depth: int) -> list[dict[str, Any]]:
    given = raw.get("options") or []
    here = (*path, "options")
    if not isinstance(given, list):
        errors.add(here, "LIST_TYPE_CONVERT", "Could not interpret value as list.")
        return []
    if len(given) > MAX_OPTIONS:
        errors.length(here, 0, MAX_OPTIONS)
    options: list[dict[str, Any]] = []
    names: set[str] = set()
    optional_seen = nested_seen = value_seen = False
    for index, item in enumerate(given):
        spot = (*here, index)
        if not isinstance(item, dict):
            errors.add(spot, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
            continue
        option = _check_option(item, errors, spot, depth)
        if option["name"] in names:
            message = "Option names must be unique in an option list"
            errors.add((*spot, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", message)
        names.add(option["name"])
        nested_seen |= option["type"] in (SUBCOMMAND, GROUP)
        value_seen |= option["type"] not in (SUBCOMMAND, GROUP)
        if nested_seen and value_seen:
            message = "Sub-command and sub-command group option types are mutually exclusive to all other types"
            errors.add(spot, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
        if option.get("required") and optional_seen:
            message = "Required options must be placed before non-required options"
            errors.add(spot, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional_seen |= not option.get("required")
        options.append(option)
    return options


def _check_option(item: dict[str, Any], errors: FormErrors, path: Path, depth: int) -> dict[str, Any]:
    kind = item.get("type")
    option: dict[str, Any] = {
        "type": kind,
        "name": _check_name(item, errors, path, slash=True),
        "description": _check_description(item, errors, path),
    }
    if kind is None:
        errors.required((*path, "type"))
    elif kind not in range(SUBCOMMAND, ATTACHMENT + 1):
        message = "Value must be one of {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}."
        errors.add((*path, "type"), "BASE_TYPE_CHOICES", message)
    elif kind in (SUBCOMMAND, GROUP):
        if kind not in _MAY_NEST[depth]:
            message = "Sub-command groups and sub-commands cannot be nested here"
            errors.add((*path, "type"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
        option["options"] = _check_options(item, errors, path, depth=min(depth + 1, 2) if kind == GROUP else 2)
        if kind == GROUP and any(child["type"] != SUBCOMMAND for child in option["options"]):
            message = "Sub-command groups may hold only sub-commands"
            errors.add(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
    else:
        _check_value_option(item, option, errors, path)
    for key in ("name_localizations", "description_localizations"):
        if item.get(key):
            option[key] = item[key]
    return option


def _check_value_option(item: dict[str, Any], option: dict[str, Any], errors: FormErrors, path: Path) -> None:
    kind = option["type"]
    if item.get("required"):
        option["required"] = True
    if item.get("choices"):
        option["choices"] = _check_choices(item["choices"], kind, errors, path)
    if item.get("autocomplete"):
        option["autocomplete"] = True
        if "choices" in option or kind not in (STRING, INTEGER, NUMBER):
            message = "Autocomplete is not allowed with choices, or on this option type"
            errors.add((*path, "autocomplete"), "APPLICATION_COMMAND_AUTOCOMPLETE_INVALID", message)
    if kind == CHANNEL and item.get("channel_types"):
        option["channel_types"] = _check_numbers(item, "channel_types", _CHANNEL_TYPES, errors, path)
    bounds = {STRING: ("min_length", "max_length"), INTEGER: _VALUE_BOUNDS, NUMBER: _VALUE_BOUNDS}.get(kind, ())
    for key in bounds:
        if item.get(key) is None:
            continue
        option[key] = item[key]
        limit = 6000 if kind == STRING else _MAX_SAFE_INTEGER
        if not _is_number(item[key], whole=kind != NUMBER) or abs(item[key]) > limit:
            errors.add((*path, key), "NUMBER_TYPE_COERCE", f'Value "{item[key]}" is not a number in range.')


# at the top, in a group, in a subcommand
_MAY_NEST: Final = ((SUBCOMMAND, GROUP), (SUBCOMMAND,), ())
_VALUE_BOUNDS: Final = ("min_value", "max_value")
_CHANNEL_TYPES: Final = {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16}


def _check_choices(given: Any, kind: int, errors: FormErrors, path: Path) -> list[dict[str, Any]]:
    here = (*path, "choices")
    if kind not in (STRING, INTEGER, NUMBER) or not isinstance(given, list):
        errors.add(here, "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Choices are not allowed on this option type")
        return []
    if len(given) > MAX_CHOICES:
        errors.length(here, 0, MAX_CHOICES)
    choices: list[dict[str, Any]] = []
    names: set[str] = set()
    for index, choice in enumerate(given):
        spot = (*here, index)
        name, value = choice.get("name"), choice.get("value")
        if not isinstance(name, str) or not 1 <= len(name) <= 100:
            errors.length((*spot, "name"), 1, 100)
        elif name in names:
            message = "Option choices must be unique"
            errors.add((*spot, "name"), "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS", message)
        names.add(str(name))
        if value is None:
            errors.required((*spot, "value"))
        elif kind == STRING and (not isinstance(value, str) or not 1 <= len(value) <= 100):
            errors.length((*spot, "value"), 1, 100)
        elif kind != STRING and not _is_number(value, whole=kind == INTEGER):
            errors.add((*spot, "value"), "NUMBER_TYPE_COERCE", f'Value "{value}" is not {_WHOLE[kind]}.')
        choices.append({"name": name, "name_localizations": choice.get("name_localizations"), "value": value})
    return choices


_WHOLE: Final = {INTEGER: "int", NUMBER: "float"}


def _is_number(value: object, *, whole: bool) -> bool:
    kinds = int if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool)


def _characters(part: dict[str, Any]) -> int:
    """What counts against the size of a command: names, descriptions and choice values."""
    own = sum(len(str(part.get(key) or "")) for key in ("name", "description", "value"))
    return own + sum(_characters(child) for key in ("options", "choices") for child in part.get(key, ()))
