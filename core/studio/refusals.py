"""Words what ComfyUI complains about as one sentence that names the node."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from core.studio.outputs import table

if TYPE_CHECKING:
    from collections.abc import Mapping

BROKEN = "I cannot draw: the workflow is broken ({fault})."
FAILED = "The drawing failed in node {node} ({kind}): {cause}."
OUT_OF_MEMORY = "the graphics memory is full"


def refusal(answer: Mapping[str, Any]) -> str:
    """Why a workflow was not queued: the body of a refused `POST /prompt`."""
    for node_id, node in _items(answer.get("node_errors")):
        for error in _list(node.get("errors")):
            name = table(error.get("extra_info")).get("input_name") or ""
            words = _plain(error.get("message", "is wrong"))
            where = f"node {_plain(node_id)}, {_plain(node.get('class_type', 'unknown'))}"
            return BROKEN.format(fault=f"{where}: {words}{f' for “{_plain(name)}”' if name else ''}")
    error = answer.get("error")
    if isinstance(error, str):
        return BROKEN.format(fault=_plain(error))
    message, details = (_plain(table(error).get(key) or "") for key in ("message", "details"))
    return BROKEN.format(fault=" ".join(part for part in (message.rstrip("."), details) if part) or "no reason given")


def execution_error(data: Mapping[str, Any]) -> str:
    """What failed while a workflow ran: the data of `execution_error`. The server's own words stay in the log."""
    kind = str(data.get("exception_type", "error"))
    cause = OUT_OF_MEMORY if "OutOfMemory" in kind or "out of memory" in str(data.get("exception_message")) else kind
    return FAILED.format(
        node=_plain(data.get("node_id", "?")), kind=_plain(data.get("node_type", "unknown")), cause=_plain(cause)
    )


def _items(value: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(node_id, table(node)) for node_id, node in table(value).items()]


def _list(value: Any) -> list[dict[str, Any]]:
    return [table(each) for each in cast("list[Any]", value)] if isinstance(value, list) else []


def _plain(value: object) -> str:
    """A word or two of somebody else's as they may be shown: short, one line, no markup, no pings."""
    return re.sub(r"[^\w .,:;'#()\[\]+-]", " ", str(value)).strip()[:120]
