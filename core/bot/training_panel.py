"""What stands under an answer that may be judged, and the form in which it is corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from core.bot.interactions import BUTTONS, written
from core.errors import TrainingError

if TYPE_CHECKING:
    from core.store.training_values import Answer
    from core.training.judging import Thumb

OWNER = "trainer"  # of the buttons
UP, DOWN, CORRECT, FORM, DELETE, CANCEL = "up", "down", "correct", "form", "delete", "cancel"
THUMBS: dict[str, Thumb] = {"👍": "up", "👎": "down"}
TITLE = "Correct this answer"
LABEL, LABEL_OF_PART = "The answer as it should have been", "The answer as it should have been, part {number}"
TOO_LONG = (
    "That answer is too long for a form of Discord's, which takes {most} characters. `/trainer feedback` takes a note."
)
FIELD_CHARACTERS = 4000  # Discord's, of one field
FIELDS = 5
_SKINS = "".join(map(chr, range(0x1F3FB, 0x1F400)))


def thumb_of(emoji: str) -> Thumb | None:
    """The thumb that a reaction is, in whatever skin; None if it is another."""
    return THUMBS.get(emoji.rstrip(_SKINS))


def thumbs_view() -> discord.ui.View:
    """👍, 👎 and a pencil; the runtime listens to them by their ids."""
    view = discord.ui.View(timeout=None)
    for emoji, what in (("👍", UP), ("👎", DOWN), ("✏️", CORRECT)):
        label = "Correct" if what == CORRECT else None
        view.add_item(discord.ui.Button(emoji=emoji, label=label, custom_id=f"{BUTTONS}{OWNER}:{what}"))
    view.stop()
    return view


def delete_view(set_id: int) -> discord.ui.View:
    """Whether a data set is really to be deleted."""
    view = discord.ui.View(timeout=None)
    danger, custom_id = discord.ButtonStyle.danger, f"{BUTTONS}{OWNER}:{DELETE}-{set_id}"
    view.add_item(discord.ui.Button(label="Delete it", style=danger, custom_id=custom_id))
    view.stop()
    return view


def cancel_view(job_id: int) -> discord.ui.View:
    """The button that cancels a job."""
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Cancel", custom_id=f"{BUTTONS}{OWNER}:{CANCEL}-{job_id}"))
    view.stop()
    return view


def correction_form(answer: Answer) -> discord.ui.Modal:
    """A form with the answer to edit, in as many fields as it takes.

    Raises:
        TrainingError: It does not fit into a form.
    """
    form = discord.ui.Modal(title=TITLE, custom_id=f"{BUTTONS}{OWNER}:{FORM}-{answer.id}", timeout=None)
    parts = parted(answer.reply)
    for number, part in enumerate(parts):
        label = LABEL if len(parts) == 1 else LABEL_OF_PART.format(number=number + 1)
        form.add_item(
            discord.ui.TextInput(
                label=label,
                custom_id=f"text-{number}",
                style=discord.TextStyle.paragraph,
                default=part,
                max_length=FIELD_CHARACTERS,
                required=number == 0,
            )
        )
    form.stop()
    return form


def corrected(interaction: discord.Interaction) -> str:
    """What was written into the form."""
    return "\n".join(part for number in range(FIELDS) if (part := written(interaction, f"text-{number}"))).strip()


def parted(text: str) -> list[str]:
    """A text in as many pieces as fields need, broken at the ends of lines where there are any.

    Raises:
        TrainingError: A form has not so many.
    """
    parts: list[str] = []
    while text:
        end = _fitting(text)
        if end < len(text):
            line_end = text.rfind("\n", 1, end + 1)
            end = line_end if line_end > 0 else end
        parts.append(text[:end])
        text = text[end:].removeprefix("\n")
    if len(parts) > FIELDS:
        raise TrainingError(TOO_LONG.format(most=FIELDS * FIELD_CHARACTERS))
    return parts or [""]


def _fitting(text: str) -> int:
    """How much of the beginning of a text a field takes; Discord may count what is beyond 16 bits twice."""
    end = min(len(text), FIELD_CHARACTERS)
    while (units := len(text[:end].encode("utf-16-le", "replace")) // 2) > FIELD_CHARACTERS:
        end -= -(-(units - FIELD_CHARACTERS) // 2)
    return end
