"""What Discord refuses in a command, and how it says so."""

from __future__ import annotations

from typing import Any

import pytest

from loopback.errors import FormErrors
from loopback.interactions.command_form import check_command


def refused(raw: Any) -> dict[str, Any]:
    errors = FormErrors()
    check_command(raw, errors)
    return errors.tree


def option(**fields: Any) -> dict[str, Any]:
    return {"type": 3, "name": "text", "description": "d", **fields}


def with_options(*options: dict[str, Any]) -> dict[str, Any]:
    return {"name": "say", "description": "d", "options": list(options)}


def codes(tree: dict[str, Any], *path: str) -> list[str]:
    for step in path:
        tree = tree[step]
    return [error["code"] for error in tree["_errors"]]


def test_a_plain_command_gets_every_field_discord_answers() -> None:
    errors = FormErrors()
    command = check_command({"name": "ping", "description": "Pong"}, errors)
    assert not errors
    assert command == {
        "type": 1,
        "name": "ping",
        "description": "Pong",
        "name_localizations": None,
        "description_localizations": None,
        "default_member_permissions": None,
        "dm_permission": True,
        "contexts": None,
        "integration_types": [0],
        "nsfw": False,
    }


@pytest.mark.parametrize("name", ["ping", "voice-join", "o'clock", "grüße", "命令", "คำสั่ง", "देश", "a" * 32])
def test_names_of_every_script_are_taken(name: str) -> None:
    assert refused({"name": name, "description": "d"}) == {}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Ping", "APPLICATION_COMMAND_INVALID_NAME"),
        ("ping pong", "STRING_TYPE_REGEX"),
        ("ping!", "STRING_TYPE_REGEX"),
        ("", "BASE_TYPE_BAD_LENGTH"),
        ("a" * 33, "BASE_TYPE_BAD_LENGTH"),
    ],
)
def test_bad_names_are_refused_at_the_field(name: str, code: str) -> None:
    assert codes(refused({"name": name, "description": "d"}), "name") == [code]


def test_a_menu_command_may_have_capitals_and_no_description() -> None:
    assert refused({"name": "Read Aloud", "type": 3}) == {}
    assert "description" in refused({"name": "Read Aloud", "type": 3, "description": "d"})


def test_missing_fields_are_named() -> None:
    tree = refused({})
    assert codes(tree, "name") == ["BASE_TYPE_REQUIRED"]
    assert codes(tree, "description") == ["BASE_TYPE_REQUIRED"]


def test_a_required_option_after_an_optional_one_is_refused() -> None:
    tree = refused(with_options(option(), option(name="other", required=True)))
    assert codes(tree, "options", "1") == ["APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"]


def test_twenty_five_options_are_taken_and_no_more() -> None:
    assert refused(with_options(*(option(name=f"o{n}") for n in range(25)))) == {}
    assert codes(refused(with_options(*(option(name=f"o{n}") for n in range(26)))), "options")


def test_two_options_of_one_name_are_refused() -> None:
    assert "1" in refused(with_options(option(), option()))["options"]


def test_groups_nest_two_deep_and_no_deeper() -> None:
    leaf = {"type": 1, "name": "leaf", "description": "d", "options": [option()]}
    group = {"type": 2, "name": "group", "description": "d", "options": [leaf]}
    assert refused(with_options(group)) == {}
    too_deep = {"type": 2, "name": "outer", "description": "d", "options": [group]}
    assert refused(with_options(too_deep))
    assert refused(with_options({**leaf, "options": [leaf]}))


def test_subcommands_and_values_do_not_mix() -> None:
    tree = refused(with_options({"type": 1, "name": "leaf", "description": "d"}, option()))
    assert codes(tree, "options", "1") == ["APPLICATION_COMMAND_OPTIONS_TYPE_INVALID"]


@pytest.mark.parametrize(
    "bad",
    [
        option(choices=[{"name": "a", "value": 1}]),
        option(type=4, choices=[{"name": "a", "value": "1"}]),
        option(type=6, choices=[{"name": "a", "value": "1"}]),
        option(choices=[{"name": f"n{n}", "value": "v"} for n in range(26)]),
        option(choices=[{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]),
        option(choices=[{"name": "a", "value": "1"}], autocomplete=True),
        option(type=5, autocomplete=True),
        option(type=4, min_value="low"),
        option(type=7, channel_types=[99]),
        option(type=12),
        option(description=""),
        option(description="d" * 101),
    ],
)
def test_bad_options_are_refused(bad: dict[str, Any]) -> None:
    assert "0" in refused(with_options(bad))["options"]


def test_a_command_of_more_than_8000_characters_is_refused() -> None:
    choices = [{"name": f"{n:0>100}", "value": f"{n:0>100}"} for n in range(25)]
    assert refused(with_options(option(choices=choices))) == {}
    tree = refused(with_options(*(option(name=f"o{n}", choices=choices) for n in range(2))))
    assert codes(tree) == ["APPLICATION_COMMAND_TOO_LARGE"]


def test_a_thing_that_is_no_object_is_refused() -> None:
    assert codes(refused("ping")) == ["MODEL_TYPE_CONVERT"]
