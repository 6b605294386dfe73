"""A ComfyUI workflow from a file, with what is asked for filled in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from core.errors import StudioError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PLACEHOLDER = re.compile(r"%(prompt|negative|seed|width|height)%")

MISSING = "I cannot draw: the workflow file {name} cannot be read; check [studio.comfyui] workflow."
NO_JSON = "I cannot draw: the workflow file {name} is not valid JSON (line {line})."
NOT_API = "I cannot draw: {name} is not in API form; in ComfyUI, export it with “Export (API)”."
NO_PROMPT = "I cannot draw: the workflow {name} has no %prompt% in it, so it would draw the same for everybody."


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants drawn."""

    prompt: str
    seed: int
    width: int
    height: int
    negative: str = ""


def read_workflow(path: Path) -> dict[str, Any]:
    """The nodes of a workflow file. Reads a file: belongs in a thread.

    Raises:
        StudioError: The file cannot be read, is no workflow in API form, or has no place for the prompt.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        workflow: Any = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise StudioError(MISSING.format(name=path.name)) from error
    except json.JSONDecodeError as error:
        raise StudioError(NO_JSON.format(name=path.name, line=error.lineno)) from error
    if not isinstance(workflow, dict) or not workflow:
        raise StudioError(NOT_API.format(name=path.name))
    nodes = cast("dict[str, Any]", workflow)
    if not all(isinstance(node, dict) and "class_type" in node for node in nodes.values()):
        raise StudioError(NOT_API.format(name=path.name))
    if "%prompt%" not in text:
        raise StudioError(NO_PROMPT.format(name=path.name))
    return nodes


def fill(workflow: dict[str, Any], wish: Wish) -> dict[str, Any]:
    """The workflow with its placeholders filled; a value that is one placeholder alone takes its type."""
    values = {
        "prompt": wish.prompt,
        "negative": wish.negative,
        "seed": wish.seed,
        "width": wish.width,
        "height": wish.height,
    }
    return cast("dict[str, Any]", _filled(workflow, values))


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, values) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_filled(inner, values) for inner in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    if whole:
        return values[whole[1]]
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), value)
