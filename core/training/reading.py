"""Reads files of examples that strangers sent, in the formats that we write; runs in a process that may be ended."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from core.errors import TrainingError
from core.names import shown
from core.store.training_values import Line
from core.training.checks import ROLES
from core.training.formats import unguarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_ERRORS = 5
UNPACKED = 10  # how many times larger a packed file may become
LONGEST_TEXT = 200_000  # characters of one message
MOST_MESSAGES = 1000
GZIP = b"\x1f\x8b"
TOO_LARGE = "That file is too large: I read at most {most:g} MB."
NO_TEXT = "That is no text in UTF-8: byte {at} does not fit. Save it as UTF-8, without a byte order of another kind."
NOTHING = "There is no example in that file."
TOO_MANY = "That file has more than {most} examples, which is what a server may keep."
REFUSED = "Nothing was read from that file:\n{faults}"
MORE = "and more"
NO_JSON = "{where} is no JSON: {why}."
TOO_DEEP = "{where} is nested too deeply."
UNKNOWN = (
    "{where} has none of the forms that I know: `messages` (OpenAI chat), `input` with `preferred_output` and "
    "`non_preferred_output` (OpenAI DPO), `prompt` with `chosen` and `rejected` (TRL), or `prompt` with `completion` and "
    "`label` (KTO)."
)
NO_LIST = "{where}: {what} must be a list of messages, each with `role` and `content`."
NO_ROLE = "{where}: message {number} has the role “{given}”; allowed are system, user and assistant."
NO_CONTENT = "{where}: message {number} has no text."
PICTURES = "{where}: message {number} holds more than text; pictures and tools are not read."
LONG = "{where}: message {number} has more than {most} characters."
NO_ANSWER = "{where} ends without an answer of the assistant."
NO_QUESTION = "{where} has no question: the last message before the answer must be the user's."
NO_LABEL = "{where}: `label` must be true or false."
NO_COLUMNS = "The first line must name the columns: `messages` or `prompt`, and `chosen` or `rejected` (or `completion` with `label`)."
NO_CSV = "{where} is no line of a table: {why}."


@dataclass(frozen=True, slots=True)
class ReadExample:
    """An example as a file has it; `conversation` is a mark that examples of one conversation share."""

    conversation: str
    messages: tuple[Line, ...]
    chosen: str | None
    rejected: str | None
    note: str = ""


class _FaultError(Exception):
    """What is wrong with one line, as a sentence."""


def read(data: bytes, max_bytes: int, most: int) -> list[ReadExample]:
    """The examples of a file, all or none.

    Args:
        data: JSON lines, a JSON list, or CSV; packed with gzip or not.
        max_bytes: Of the file.
        most: Of examples.

    Raises:
        TrainingError: It is too large, no text, or something in it is wrong: the first faults, each with its line.
    """
    text = _text(data, max_bytes)
    found: list[ReadExample] = []
    faults: list[str] = []
    for where, make in _items(text):
        try:
            found.append(make(where))
        except _FaultError as fault:
            faults.append(str(fault))
        except RecursionError:
            faults.append(TOO_DEEP.format(where=where))
        if len(faults) > MOST_ERRORS:
            faults[-1] = MORE
            break
        if len(found) > most:
            raise TrainingError(TOO_MANY.format(most=most))
    if faults:
        raise TrainingError(REFUSED.format(faults="\n".join(faults)))
    if not found:
        raise TrainingError(NOTHING)
    return found


def _text(data: bytes, max_bytes: int) -> str:
    too_large = TrainingError(TOO_LARGE.format(most=max_bytes / 1e6))
    if len(data) > max_bytes:
        raise too_large
    if data.startswith(GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(UNPACKED * max_bytes + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise TrainingError("That packed file is damaged.") from error
        if len(data) > UNPACKED * max_bytes:
            raise too_large
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TrainingError(NO_TEXT.format(at=error.start)) from error


def _items(text: str) -> Iterator[tuple[str, Callable[[str], ReadExample]]]:
    """Where each example stands, and what reads it."""
    start = text.lstrip()[:1]
    if start == "[":
        given = _json(text, "The file")
        for number, item in enumerate(cast("list[Any]", given) if isinstance(given, list) else [given], 1):
            yield f"Example {number}", lambda where, item=item: _example(item, where)
    elif start == "{" or not start:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"Line {number}", lambda where, line=line: _example(_json(line, where), where)
    else:
        yield from _rows(text)


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise TrainingError(TOO_DEEP.format(where=where)) from None
    except ValueError as error:
        why = f"{error.msg} at character {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)[:80]
        fault = NO_JSON.format(where=where, why=shown(why))
        if where == "The file":
            raise TrainingError(fault) from error
        raise _FaultError(fault) from error


def _example(item: Any, where: str) -> ReadExample:
    if not isinstance(item, dict):
        raise _FaultError(UNKNOWN.format(where=where))
    given = cast("dict[str, Any]", item)
    if "messages" in given:
        lines = _messages(given["messages"], where, "`messages`")
        if not lines or lines[-1].role != "assistant":
            raise _FaultError(NO_ANSWER.format(where=where))
        return _made(lines[:-1], lines[-1].content, None, where)
    if "preferred_output" in given and "non_preferred_output" in given:
        asked = given.get("input")
        prompt = cast("dict[str, Any]", asked).get("messages") if isinstance(asked, dict) else None
        lines = _messages(prompt, where, "`input.messages`")
        chosen = _completion(given["preferred_output"], where, "`preferred_output`")
        return _made(lines, chosen, _completion(given["non_preferred_output"], where, "`non_preferred_output`"), where)
    if "prompt" in given and "chosen" in given and "rejected" in given:
        lines = _prompt(given["prompt"], where)
        chosen = _completion(given["chosen"], where, "`chosen`")
        return _made(lines, chosen, _completion(given["rejected"], where, "`rejected`"), where)
    if "prompt" in given and "completion" in given and "label" in given:
        return _labelled(_prompt(given["prompt"], where), given["completion"], given["label"], where)
    raise _FaultError(UNKNOWN.format(where=where))


def _labelled(lines: list[Line], completion: Any, label: Any, where: str) -> ReadExample:
    if not isinstance(label, bool):
        raise _FaultError(NO_LABEL.format(where=where))
    text = _completion(completion, where, "`completion`")
    return _made(lines, text if label else None, None if label else text, where)


def _made(lines: list[Line], chosen: str | None, rejected: str | None, where: str) -> ReadExample:
    if not lines or lines[-1].role != "user":
        raise _FaultError(NO_QUESTION.format(where=where))
    first = next(line for line in lines if line.role == "user").content
    mark = hashlib.sha256(first.encode("utf-8", "replace")).hexdigest()[:16]
    return ReadExample(mark, tuple(lines), chosen, rejected)


def _prompt(given: Any, where: str) -> list[Line]:
    if isinstance(given, str):
        return [Line("user", _whole(given, where, 1))]
    return _messages(given, where, "`prompt`")


def _completion(given: Any, where: str, what: str) -> str:
    if isinstance(given, str):
        return _whole(given, where, 1)
    lines = _messages(given, where, what)
    if len(lines) != 1 or lines[0].role != "assistant":
        raise _FaultError(f"{where}: {what} must be one message of the assistant.")
    return lines[0].content


def _messages(given: Any, where: str, what: str) -> list[Line]:
    if not isinstance(given, list) or len(cast("list[Any]", given)) > MOST_MESSAGES:
        raise _FaultError(NO_LIST.format(where=where, what=what))
    return [_line(each, where, what, number) for number, each in enumerate(cast("list[Any]", given), 1)]


def _line(given: Any, where: str, what: str, number: int) -> Line:
    if not isinstance(given, dict):
        raise _FaultError(NO_LIST.format(where=where, what=what))
    message = cast("dict[str, Any]", given)
    role, content, name = message.get("role"), message.get("content"), message.get("name")
    role = "system" if role == "developer" else role
    if role not in ROLES:
        raise _FaultError(NO_ROLE.format(where=where, number=number, given=shown(str(role)[:200], 40)))
    if isinstance(content, list):
        parts = [cast("dict[str, Any]", each) for each in cast("list[Any]", content) if isinstance(each, dict)]
        if not all(part.get("type") == "text" and isinstance(part.get("text"), str) for part in parts):
            raise _FaultError(PICTURES.format(where=where, number=number))
        content = "\n".join(str(part["text"]) for part in parts)
    if not isinstance(content, str) or not content.strip():
        raise _FaultError(NO_CONTENT.format(where=where, number=number))
    return Line(str(role), _whole(content, where, number), name if isinstance(name, str) else "")


def _whole(text: str, where: str, number: int) -> str:
    if not text.strip():
        raise _FaultError(NO_CONTENT.format(where=where, number=number))
    if len(text) > LONGEST_TEXT:
        raise _FaultError(LONG.format(where=where, number=number, most=LONGEST_TEXT))
    return text.replace("\0", "")


def _rows(text: str) -> Iterator[tuple[str, Callable[[str], ReadExample]]]:
    csv.field_size_limit(4 * LONGEST_TEXT)
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: list[str] | None = None
    while True:
        where = f"Line {table.line_num + 1}"
        try:
            row = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            raise TrainingError(REFUSED.format(faults=NO_CSV.format(where=where, why=shown(str(error))))) from error
        if columns is None:
            columns = [cell.strip().casefold() for cell in row]
            if not ({"messages", "prompt"} & set(columns) and {"chosen", "rejected", "completion"} & set(columns)):
                raise TrainingError(NO_COLUMNS)
        elif any(cell.strip() for cell in row):
            cells = dict(zip(columns, map(unguarded, row), strict=False))
            yield where, lambda where, cells=cells: _row(cells, where)


def _row(cells: dict[str, str], where: str) -> ReadExample:
    lines = _prompt(_json(cells["messages"], where) if cells.get("messages") else cells.get("prompt", ""), where)
    chosen, rejected = cells.get("chosen") or None, cells.get("rejected") or None
    if cells.get("completion"):
        label = {"true": True, "1": True, "false": False, "0": False}.get(cells.get("label", "true").strip().casefold())
        made = _labelled(lines, cells["completion"], label, where)
    elif chosen is None and rejected is None:
        raise _FaultError(NO_ANSWER.format(where=where))
    else:
        told = [None if text is None else _whole(text, where, 1) for text in (chosen, rejected)]
        made = _made(lines, told[0], told[1], where)
    mark = cells.get("conversation", "").strip()[:64] or made.conversation
    return ReadExample(mark, made.messages, made.chosen, made.rejected, cells.get("note", "")[:2000])
