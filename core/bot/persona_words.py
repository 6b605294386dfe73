"""What `/persona` says of characters, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.names import code, shown, shown_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.persona.sheet import Sheet

NONE = "There are no characters yet. Drop a file into the folder of `[persona] characters`, or import a card: `/persona import`."
LINES = 25  # characters listed; an answer has room for no more


def listed(sheets: Sequence[Sheet], active: Sheet | None, faults: Sequence[str] = ()) -> str:
    """The characters of a server, the active one marked, with what is wrong with files for those who may see that."""
    if not sheets and not faults:
        return NONE
    lines = [
        f"{'▶️' if sheet == active else '▫️'} **{shown(sheet.name)}** ({code(sheet.id, 40)})" for sheet in sheets[:LINES]
    ]
    if len(sheets) > LINES:
        lines.append(f"and {len(sheets) - LINES} more")
    lines += [f"⚠️ {shown_text(fault, 300)}" for fault in faults[:5]]
    return "\n".join(lines)


def card(sheet: Sheet) -> str:
    """What a character is like, in short."""
    table = sheet.table
    parts = [f"**{shown(sheet.name)}** ({code(sheet.id, 40)})", shown_text(table.description.strip(), 600)]
    if table.greeting.strip():
        parts.append(f"Greets: {shown_text(table.greeting.strip(), 300)}")
    if table.moods:
        parts.append("Moods: " + ", ".join(f"{shown(mood.emoji)} {shown(mood.name)}".strip() for mood in table.moods))
    if table.triggers:
        parts.append("Comes when called: " + ", ".join(shown(word) for word in table.triggers))
    return "\n".join(part for part in parts if part)
