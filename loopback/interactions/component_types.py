"""Discord's types of message components, and a walk over nested ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


ROW: Final = 1

BUTTON: Final = 2

STRING_SELECT: Final = 3

TEXT_INPUT: Final = 4

USER_SELECT: Final = 5

ROLE_SELECT: Final = 6

MENTIONABLE_SELECT: Final = 7

CHANNEL_SELECT: Final = 8

TEXT_DISPLAY: Final = 10

LABEL: Final = 18

FILE_UPLOAD: Final = 19

RADIO_GROUP: Final = 21

CHECKBOX_GROUP: Final = 22

CHECKBOX: Final = 23

SELECTS: Final = (STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT)


def walk(components: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every component of a message or modal, at any depth, in the order a person sees them."""
    for component in components:
        yield component
        yield from walk(component.get("components", ()))
        for key in ("accessory", "component"):
            if component.get(key):
                yield from walk([component[key]])
