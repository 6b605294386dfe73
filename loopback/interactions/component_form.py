"""Checks the components of a message or modal as Discord does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from loopback.interactions.component_types import (
    BUTTON,
    LABEL,
    ROW,
    SELECTS,
    STRING_SELECT,
    TEXT_DISPLAY,
    TEXT_INPUT,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopback.errors import FormErrors

MAX_ROWS: Final = 5
MAX_COMPONENTS_V2: Final = 40
MAX_OPTIONS: Final = 25
_BUTTONS_IN_A_ROW: Final = 5
_LINK: Final = 5
_PREMIUM: Final = 6
_V2_TOP: Final = (ROW, 9, TEXT_DISPLAY, 12, 13, 14, 17)
_MODAL_TOP: Final = (ROW, TEXT_DISPLAY, LABEL)

Path = tuple[str | int, ...]


def check_components(components: Sequence[Any], errors: FormErrors, path: Path, *, v2: bool = False) -> None:
    """Note what is wrong with a message's components; `v2` is whether the flag IS_COMPONENTS_V2 is set."""
    if not _are_objects(components, errors, path):
        return
    if v2 and sum(1 for _ in walk(components)) > MAX_COMPONENTS_V2:
        errors.length(path, 1, MAX_COMPONENTS_V2)
    elif not v2 and len(components) > MAX_ROWS:
        errors.length(path, 1, MAX_ROWS)
    _check_top(components, _V2_TOP if v2 else (ROW,), errors, path)
    _check_each(components, errors, path)
    _check_unique(components, errors, path)


def check_modal_components(components: Sequence[Any], errors: FormErrors, path: Path) -> None:
    """Note what is wrong with a modal's components."""
    if not _are_objects(components, errors, path):
        return
    if not 1 <= len(components) <= MAX_ROWS:
        errors.length(path, 1, MAX_ROWS)
    _check_top(components, _MODAL_TOP, errors, path)
    _check_each(components, errors, path)
    _check_unique(components, errors, path)


def _are_objects(components: Sequence[Any], errors: FormErrors, path: Path) -> bool:
    wrong = [index for index, component in enumerate(components) if not isinstance(component, Mapping)]
    for index in wrong:
        errors.add((*path, index), "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
    return not wrong


def _check_top(components: Sequence[Any], allowed: tuple[int, ...], errors: FormErrors, path: Path) -> None:
    for index, component in enumerate(components):
        if component.get("type") not in allowed:
            choices = ", ".join(map(str, allowed))
            errors.add((*path, index, "type"), "BASE_TYPE_CHOICES", f"Value must be one of {{{choices}}}.")


def _check_each(components: Sequence[Any], errors: FormErrors, path: Path) -> None:
    for index, component in enumerate(components):
        here = (*path, index)
        _check_one(component, errors, here)
        if component.get("components"):
            _check_each(component["components"], errors, (*here, "components"))
        for key in ("accessory", "component"):
            if component.get(key):
                _check_one(component[key], errors, (*here, key))


def _check_one(component: Mapping[str, Any], errors: FormErrors, here: Path) -> None:
    kind = component.get("type")
    if kind == ROW:
        _check_row(component, errors, here)
    elif kind == BUTTON:
        _check_button(component, errors, here)
    elif kind in SELECTS:
        _check_select(component, errors, here)
    elif kind == TEXT_INPUT:
        _check_custom_id(component, errors, here)
        if component.get("style") not in (1, 2):
            errors.add((*here, "style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.")
        _check_length(component, "label", 45, errors, here)
        _check_length(component, "placeholder", 100, errors, here)
    elif kind == LABEL:
        _check_length(component, "label", 45, errors, here, required=True)
        _check_length(component, "description", 100, errors, here)


def _check_row(row: Mapping[str, Any], errors: FormErrors, here: Path) -> None:
    children = row.get("components") or []
    buttons = sum(child.get("type") == BUTTON for child in children)
    fits = buttons == len(children) <= _BUTTONS_IN_A_ROW or (not buttons and len(children) == 1)
    if not children or not fits:
        errors.length((*here, "components"), 1, _BUTTONS_IN_A_ROW)


def _check_button(button: Mapping[str, Any], errors: FormErrors, here: Path) -> None:
    style = button.get("style")
    if style not in range(1, 7):
        errors.add((*here, "style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}.")
    elif style == _LINK:
        if not button.get("url"):
            errors.required((*here, "url"))
    elif style != _PREMIUM:
        _check_custom_id(button, errors, here)
    if style != _PREMIUM and not button.get("label") and not button.get("emoji"):
        message = "A button must have a label or an emoji"
        errors.add(here, "BUTTON_COMPONENT_INVALID_LABEL_OR_EMOJI", message)
    _check_length(button, "label", 80, errors, here)


def _check_select(select: Mapping[str, Any], errors: FormErrors, here: Path) -> None:
    _check_custom_id(select, errors, here)
    _check_length(select, "placeholder", 150, errors, here)
    for key in ("min_values", "max_values"):
        value = select.get(key)
        if value is not None and not 0 <= value <= MAX_OPTIONS:
            errors.add((*here, key), "NUMBER_TYPE_MAX", f"int value should be between 0 and {MAX_OPTIONS}.")
    if select["type"] != STRING_SELECT:
        return
    options = select.get("options") or []
    if not 1 <= len(options) <= MAX_OPTIONS:
        errors.length((*here, "options"), 1, MAX_OPTIONS)
    values: set[str] = set()
    for index, option in enumerate(options):
        spot = (*here, "options", index)
        for key in ("label", "value"):
            _check_length(option, key, 100, errors, spot, required=True)
        _check_length(option, "description", 100, errors, spot)
        if option.get("value") in values:
            message = "The specified option value is already used"
            errors.add((*spot, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message)
        values.add(option.get("value"))


def _check_custom_id(component: Mapping[str, Any], errors: FormErrors, here: Path) -> None:
    _check_length(component, "custom_id", 100, errors, here, required=True)


def _check_length(
    component: Mapping[str, Any], key: str, most: int, errors: FormErrors, here: Path, *, required: bool = False
) -> None:
    text = component.get(key)
    if not text and required:
        errors.required((*here, key))
    elif text and len(text) > most:
        errors.length((*here, key), int(required), most)


def _check_unique(components: Sequence[Any], errors: FormErrors, path: Path) -> None:
    seen: set[str] = set()
    for component in walk(components):
        custom_id = component.get("custom_id")
        if custom_id in seen:
            errors.add(path, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
        if custom_id:
            seen.add(custom_id)
