"""Checks what a person types into a slash command, as the real client does before it sends anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from loopback.interactions.command_form import (
    ATTACHMENT,
    BOOLEAN,
    CHANNEL,
    GROUP,
    INTEGER,
    MENTIONABLE,
    NUMBER,
    ROLE,
    STRING,
    SUBCOMMAND,
    USER,
)
from loopback.people.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_SAFE_INTEGER = 2**53
_MAX_STRING = 6000
_KINDS = {
    STRING: "text",
    INTEGER: "a whole number",
    BOOLEAN: "true or false",
    USER: "a user",
    CHANNEL: "a channel",
    ROLE: "a role",
    MENTIONABLE: "a user or a role",
    NUMBER: "a number",
    ATTACHMENT: "a file",
}


class Resolver(Protocol):
    """Turns a thing a person picked into its id and the `resolved` data that goes with it."""

    def resolve(self, option: Mapping[str, Any], value: object) -> tuple[str, dict[str, dict[str, Any]]]:
        """Return the id and the entries of `resolved` by category; raises Refused if it is of the wrong kind."""
        ...


@dataclass(slots=True)
class Filled:
    """The `options` and `resolved` of an interaction's data."""

    options: list[dict[str, Any]] = field(default_factory=list)
    resolved: dict[str, dict[str, Any]] = field(default_factory=dict)


def find_leaf(command: Mapping[str, Any], words: Sequence[str]) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
    """Walk from a command to the subcommand a person named.

    Args:
        command: The registered command.
        words: What follows its name, for example `["channel", "set"]`.

    Returns:
        The groups and subcommand on the way, and the last of them (or the command itself): the one with the options.
    """
    way: list[Mapping[str, Any]] = []
    node = command
    for word in words:
        node = next((child for child in _nested(node) if child["name"] == word), None)
        if node is None:
            raise Refused(f"/{command['name']} has no subcommand {' '.join(words)!r}; it has {leaves(command)}")
        way.append(node)
    if _nested(node):
        raise Refused(f"/{' '.join([command['name'], *words])} is not complete; it has {leaves(command)}")
    return way, node


def fill(
    command: Mapping[str, Any],
    words: Sequence[str],
    given: Mapping[str, object],
    resolver: Resolver,
    *,
    focused: str | None = None,
) -> Filled:
    """Check options against what the bot registered and return them as the interaction carries them.

    Args:
        command: The registered command.
        words: The subcommand path after its name.
        given: Values by option name; choices may be given by their value or by the name the client shows.
        resolver: Looks up users, channels, roles and files.
        focused: For autocomplete, the option being typed: its value goes out as it is, required ones may be missing.

    Raises:
        Refused: If the real client would not send this.
    """
    way, leaf = find_leaf(command, words)
    label = "/" + " ".join([command["name"], *words])
    offered = {option["name"]: option for option in leaf.get("options", ())}
    unknown = [name for name in given if name not in offered]
    if unknown:
        raise Refused(f"{label} has no option {unknown[0]!r}; it has {sorted(offered)}")
    filled = Filled()
    for name, option in offered.items():
        if given.get(name) is None:
            if option.get("required") and focused is None:
                raise Refused(f"{label} needs its option {name!r}")
            continue
        entry: dict[str, Any] = {"name": name, "type": option["type"]}
        if name == focused:
            if not option.get("autocomplete"):
                raise Refused(f"{label} offers no autocomplete for {name!r}")
            filled.options.append(entry | {"value": str(given[name]), "focused": True})
            continue
        value, resolved = _checked(option, given[name], resolver, label)
        filled.options.append(entry | {"value": value})
        for category, entries in resolved.items():
            filled.resolved.setdefault(category, {}).update(entries)
    for node in reversed(way):
        filled.options = [{"name": node["name"], "type": node["type"], "options": filled.options}]
    return filled


def _nested(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [child for child in node.get("options", ()) if child["type"] in (SUBCOMMAND, GROUP)]


def leaves(node: Mapping[str, Any]) -> list[str]:
    """The subcommands below a command, as `"group name"`; none if it is a command by itself."""
    return [" ".join([child["name"], rest]).strip() for child in _nested(node) for rest in (leaves(child) or [""])]


def _checked(
    option: Mapping[str, Any], value: object, resolver: Resolver, label: str
) -> tuple[object, dict[str, dict[str, Any]]]:
    kind = option["type"]
    where = f"option {option['name']!r} of {label}"
    if option.get("choices"):
        return _chosen(option["choices"], value, where), {}
    if kind == STRING:
        return _text(option, value, where), {}
    if kind == BOOLEAN:
        if not isinstance(value, bool):
            raise _wrong(where, kind, value)
        return value, {}
    if kind in (INTEGER, NUMBER):
        return _number(option, value, where), {}
    return resolver.resolve(option, value)


def _chosen(choices: Sequence[Mapping[str, Any]], value: object, where: str) -> object:
    for choice in choices:
        if value == choice["name"] or (value == choice["value"] and type(value) is type(choice["value"])):
            return choice["value"]
    raise Refused(f"{where} takes one of {[choice['name'] for choice in choices]}, not {value!r}")


def _text(option: Mapping[str, Any], value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, STRING, value)
    least, most = option.get("min_length", 0), option.get("max_length", _MAX_STRING)
    if not least <= len(value) <= most:
        raise Refused(f"{where} takes {least} to {most} characters, not {len(value)}")
    return value


def _number(option: Mapping[str, Any], value: object, where: str) -> int | float:
    kind = option["type"]
    allowed = int if kind == INTEGER else (int, float)
    if not isinstance(value, allowed) or isinstance(value, bool):
        raise _wrong(where, kind, value)
    least = option.get("min_value", -_MAX_SAFE_INTEGER)
    most = option.get("max_value", _MAX_SAFE_INTEGER)
    if not least <= value <= most:
        raise Refused(f"{where} takes {least} to {most}, not {value}")
    return value


def _wrong(where: str, kind: int, value: object) -> Refused:
    return Refused(f"{where} takes {_KINDS[kind]}, not {value!r}")
