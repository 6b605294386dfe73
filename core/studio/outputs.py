"""Chooses the picture of a workflow that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

MASK = "mask"
KINDS = ("images", "gifs", "videos", "video")  # nodes of other people file animations under names of their own
ANIMATED = (".mp4", ".webm", ".mov", ".mkv")


def pictures(entry: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every picture in a history entry with its node, in the order they were saved; what is null or no picture is none."""
    return [
        (str(node_id), table(image))
        for node_id, output in table(entry.get("outputs")).items()
        for kind in KINDS
        for image in _list(table(output).get(kind))
        if table(image).get("filename")
    ]


def chosen(entry: Mapping[str, Any], workflow: Mapping[str, Any], output_node: str = "") -> dict[str, Any] | None:
    """The picture to show; None if there is none.

    With `output_node` it is that node's first. Otherwise what was saved goes before previews, pictures before videos and
    masks, and a later node's before an earlier one's, whose picture it usually goes on from.
    """
    found = [(node, image) for node, image in pictures(entry) if output_node in ("", node)]
    if not found:
        return None
    last = max(
        range(len(found)),
        key=lambda place: (
            found[place][1].get("type") == "output",
            not str(found[place][1]["filename"]).lower().endswith(ANIMATED),
            not _is_mask(found[place][0], found[place][1], workflow),
            place,
        ),
    )
    node = found[last][0]
    of_node = [image for each, image in found if each == node]
    return next((image for image in of_node if image.get("type") == found[last][1].get("type")), of_node[0])


def table(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else: servers write null where they have nothing."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _is_mask(node_id: str, image: Mapping[str, Any], workflow: Mapping[str, Any]) -> bool:
    """Whether a node saves a mask: by its name, its file's, or the names of the nodes its picture comes from."""
    node = table(workflow.get(node_id))
    if MASK in str(node.get("class_type", "")).lower() or MASK in str(image.get("filename", "")).lower():
        return True
    sources = [link[0] for link in map(_list, table(node.get("inputs")).values()) if link]
    return any(MASK in str(table(workflow.get(str(source))).get("class_type", "")).lower() for source in sources)
