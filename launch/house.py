"""Holds the code against the floors of the house: `python -m launch.house` names every violation and fails on any.

What it asks is written in `docs/developer-guide.md`: a room imports only from floors below it, nothing imports in a
circle (imports for the type checker alone included), Discord stays in its rooms, a public class has a name of its own,
and files and functions stay short.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHECKOUT = Path(__file__).resolve().parent.parent
ROOTS = ("core", "cogs", "web", "launch", "loopback", "launcher.py")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# From the ground up. Rooms of one floor do not import each other; those of the ground floor may.
FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "core",
        "core.character",
        "core.clock",
        "core.config",
        "core.discord_limits",
        "core.errors",
        "core.events",
        "core.fanout",
        "core.handles",
        "core.hub",
        "core.names",
        "core.private",
        "core.redaction",
        "core.surrogates",
        "core.tasks",
    ),
    ("core.audio", "core.store"),
    ("core.fetch", "core.machine", "core.privacy", "core.remote", "core.schedule"),
    (
        "core.hearing",
        "core.llm",
        "core.lockdown",
        "core.music",
        "core.persona",
        "core.recording",
        "core.speech",
        "core.studio",
        "core.training",
    ),
    ("core.voice",),
    ("core.conversation",),
    ("core.bot",),
    ("core.runtime",),
    ("cogs", "web"),
    ("launch", "launcher"),
)
GROUND = 0
DISCORD_ROOMS = ("core.bot", "core.runtime", "core.voice")  # of `core`
ALOOF = "loopback"  # imports nothing of ours; only the launcher, benchmarks and tests import it
FACES = ("core.runtime",)  # re-exports what lives elsewhere, by a name that the documents give


@dataclass(frozen=True, slots=True)
class Import:
    """One import of a module of ours or of Discord's library, wherever in the file it stands."""

    line: int
    module: str


@dataclass(frozen=True)
class Module:
    """A file of ours, read but not run."""

    name: str
    path: Path
    text: str
    names: frozenset[str] = frozenset()

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text, str(self.path))

    def imports(self, known: frozenset[str]) -> Iterator[Import]:
        """What it imports of `known` modules and of discord; `from room import module` is an import of that module."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(node.lineno, _nearest(alias.name, known))
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    yield Import(node.lineno, full if full in known else _nearest(node.module, known))


def _nearest(name: str, known: frozenset[str]) -> str:
    """The module of ours that a dotted name lies in, or the name."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        if ".".join(parts[:end]) in known:
            return ".".join(parts[:end])
    return name


class House:
    """Every module of a checkout, and what is wrong with how they stand."""

    def __init__(self, top: Path = CHECKOUT) -> None:
        self.top = top
        self.modules = {module.name: module for module in _read(top)}
        self._known = frozenset(self.modules)

    def faults(self) -> list[str]:
        """Every violation as one line: place and what is wrong."""
        return [
            *self.upward(),
            *self.circles(),
            *self.discord(),
            *self.names_twice(),
            *self.too_long(),
        ]

    def upward(self) -> Iterator[str]:
        """Imports of a room on a floor above, or beside it, and rooms that stand on no floor."""
        for module in self.modules.values():
            room = room_of(module.name)
            if room is None:
                yield f"{self._place(module)}: stands on no floor; name its room in launch/house.py"
                continue
            for found in module.imports(self._known):
                other = room_of(found.module) if found.module in self.modules else None
                if other is not None and other != room and not _may(room, other):
                    yield f"{self._place(module, found.line)}: {room} may not import {found.module}"

    def circles(self) -> Iterator[str]:
        """Modules that import each other in a circle, one circle at a time, until none is left."""
        graph = {name: self._needs(module) for name, module in self.modules.items()}
        while True:
            try:
                TopologicalSorter(graph).prepare()
            except CycleError as error:
                circle: list[str] = error.args[1]
                yield f"import circle: {' <- '.join(circle)}"
                graph[circle[1]].discard(circle[0])
            else:
                return

    def _needs(self, module: Module) -> set[str]:
        needs = {found.module for found in module.imports(self._known) if found.module in self.modules}
        packages = {module.name.rsplit(".", end)[0] for end in range(1, module.name.count(".") + 1)}
        return needs - {module.name} - packages

    def discord(self) -> Iterator[str]:
        """Imports of Discord's library in rooms of `core` that must be usable without a bot."""
        for module in self.modules.values():
            if module.name.split(".")[0] != "core" or room_of(module.name) in DISCORD_ROOMS:
                continue
            for found in module.imports(self._known):
                if found.module.split(".")[0] == "discord":
                    yield f"{self._place(module, found.line)}: {module.name} may not import discord"

    def names_twice(self) -> Iterator[str]:
        """Public classes of one name, on our side and on the loopback's: the two never meet in one file of either."""
        found: defaultdict[tuple[str, bool], list[str]] = defaultdict(list)
        for module in self.modules.values():
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name, room_of(module.name) == ALOOF].append(self._place(module, node.lineno))
        for (name, _), places in sorted(found.items()):
            if len(places) > 1:
                yield f"{places[0]}: the class {name} is also at {', '.join(places[1:])}"

    def too_long(self) -> Iterator[str]:
        """Files and functions past the limits."""
        for module in self.modules.values():
            count = module.text.count("\n")
            if count > MAX_FILE_LINES:
                yield f"{self._place(module)}: {count} lines, more than {MAX_FILE_LINES}: one subject, or several?"
            for node in ast.walk(module.tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    length = (node.end_lineno or node.lineno) - node.lineno + 1
                    if length > MAX_FUNCTION_LINES:
                        place = self._place(module, node.lineno)
                        yield f"{place}: {node.name} has {length} lines, more than {MAX_FUNCTION_LINES}"

    def _place(self, module: Module, line: int = 1) -> str:
        return f"{module.path.relative_to(self.top).as_posix()}:{line}"


def room_of(name: str) -> str | None:
    """The room of a module, `core.bot` for `core.bot.cog`; none for a module on no floor."""
    if name.split(".")[0] == ALOOF:
        return ALOOF
    rooms = {room for floor in FLOORS for room in floor}
    parts = name.split(".")
    room = ".".join(parts[:2]) if parts[0] == "core" else parts[0]
    return room if room in rooms else None


def _may(room: str, other: str) -> bool:
    """Whether a room may import from another."""
    if other == ALOOF:
        return room in ("launch", "launcher")
    if room == ALOOF:
        return False
    if other in FACES:
        return room in ("cogs", "web", "launch", "launcher")
    mine, theirs = _floor(room), _floor(other)
    return theirs < mine or mine == theirs == GROUND or {room, other} == {"launch", "launcher"}


def _floor(room: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if room in floor)


def _read(top: Path) -> Iterator[Module]:
    for root in ROOTS:
        start = top / root
        for path in sorted(start.rglob("*.py")) if start.is_dir() else [start] * start.is_file():
            parts = path.relative_to(top).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield Module(name, path, path.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] = ()) -> int:
    """Print the faults of a checkout, this one by default; the exit code says whether there are any."""
    house = House(Path(arguments[0]).resolve() if arguments else CHECKOUT)
    faults = house.faults()
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    sys.stdout.write(f"{len(house.modules)} modules, {len(faults)} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
