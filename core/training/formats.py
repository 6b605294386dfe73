"""Writes examples as other trainers read them: OpenAI's chat and DPO lines, TRL's pairs, KTO, and CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from core.store.training_values import Example, Line
    from core.training.checks import Format

EXTENSIONS: dict[Format, str] = {"openai": "jsonl", "dpo": "jsonl", "trl": "jsonl", "kto": "jsonl", "csv": "csv"}
COLUMNS = (
    "conversation",
    "messages",
    "chosen",
    "rejected",
    "note",
    "source",
    "at",
    "route",
    "model",
    "temperature",
)
# What a spreadsheet takes for a formula, also in full width, and behind blanks or the sign that says it is none.
_FORMULA = re.compile(r"[\s']*[=+\-@＝＋－＠]|[\t\r\n]")


def write(examples: Sequence[Example], form: Format) -> bytes:
    """Examples in a format; those that have nothing for it are not in it."""
    if form == "csv":
        return _csv(examples)
    lines = (json.dumps(line, ensure_ascii=False) for each in examples for line in _lines(each, form))
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def count_lines(examples: Iterable[Example], form: Format) -> int:
    """How many lines these make."""
    return sum(1 if form == "csv" else sum(1 for _ in _lines(each, form)) for each in examples)


def conversation_mark(conversation: str) -> str:
    """A conversation's name as it may leave: the same for the same, and nothing can be read in it."""
    return hashlib.sha256(conversation.encode("utf-8", "replace")).hexdigest()[:16]


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """The cell as it was before `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def _lines(example: Example, form: Format) -> Iterator[dict[str, Any]]:
    prompt = [_message(line) for line in example.messages]
    chosen = [_said(example.chosen)] if example.chosen else []
    rejected = [_said(example.rejected)] if example.rejected else []
    if form == "openai" and chosen:
        yield {"messages": [*prompt, *chosen]}
    elif form == "dpo" and chosen and rejected:
        yield {"input": {"messages": prompt}, "preferred_output": chosen, "non_preferred_output": rejected}
    elif form == "trl" and chosen and rejected:
        yield {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    elif form == "kto":
        for completion, label in ((chosen, True), (rejected, False)):
            if completion:
                yield {"prompt": prompt, "completion": completion, "label": label}


def _message(line: Line) -> dict[str, str]:
    content = f"{line.name}: {line.content}" if line.name else line.content
    return {"role": line.role, "content": content}


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _csv(examples: Iterable[Example]) -> bytes:
    out = io.StringIO(newline="")
    table = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for each in examples:
        cells = (
            conversation_mark(each.conversation),
            json.dumps([_message(line) for line in each.messages], ensure_ascii=False),
            each.chosen or "",
            each.rejected or "",
            each.note,
            each.source,
            each.at.isoformat(),
            each.route,
            each.model,
            "" if each.temperature is None else f"{each.temperature:g}",
        )
        table.writerow([guarded(cell) for cell in cells])
    return out.getvalue().encode("utf-8-sig", "replace")
