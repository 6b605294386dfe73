"""The tables of the user guide, made from the code: `python -m launch.reference` writes them into docs/user-guide.md."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from core.config import CHECKOUT, Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from discord import app_commands
    from pydantic.fields import FieldInfo

GUIDE = CHECKOUT / "docs" / "user-guide.md"
NAMED = {"model.routes": "model.routes.NAME", "lockdown.hooks": "lockdown.hooks"}  # sections that come in numbers
BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}


def filled(guide: str) -> str:
    """The guide with its tables made anew between their marks."""
    for name, table in (("settings", settings()), ("commands", asyncio.run(commands()))):
        begin, end = f"<!-- {name}: made by python -m launch.reference -->", f"<!-- end of {name} -->"
        before, _, rest = guide.partition(begin)
        _, _, after = rest.partition(end)
        guide = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    return guide


# Settings -------------------------------------------------------------------------------------------------------------


def settings() -> str:
    """Every table of `config.toml` with its keys."""
    return "\n\n".join(
        "\n".join(
            [f"### [{name}]", "", _sentence(model), "", "| key | default | allowed | |", "|---|---|---|---|", *rows]
        )
        for name, model in _sections(Config, "")
        if (rows := list(_rows(model)))
    )


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        inner = _inner(field.annotation)
        if inner is not None:
            full = f"{path}.{name}" if path else name
            yield NAMED.get(full, full), inner
            yield from _sections(inner, full)


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The section in a field: itself, or as the values of a table or list."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _rows(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if _inner(field.annotation) is None:
            default = (
                "**needed**" if field.is_required() else f"`{_toml(field.get_default(call_default_factory=True))}`"
            )
            yield f"| `{name}` | {default} | {_allowed(field)} | {field.description or ''} |"


def _sentence(model: type[BaseModel]) -> str:
    text = " ".join((model.__doc__ or "").split())
    text = text.partition(": ")[2] if text.startswith("`[") else text
    return text[:1].upper() + text[1:]


def _toml(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)


def _allowed(field: FieldInfo) -> str:
    allowed = [_named(field.annotation)]
    for rule in field.metadata:
        allowed += [
            text.format(f"{bound:g}")
            for name, text in BOUNDS.items()
            if (bound := getattr(rule, name, None)) is not None
        ]
    return ", ".join(part for part in allowed if part)


def _named(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return "id" if arguments[0] is int else _named(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{_toml(value)}`" for value in arguments)
    if origin in (types.UnionType, typing.Union):
        return _named(next(part for part in arguments if part is not type(None)))
    if origin is list:
        return f"list of {_named(arguments[0])}s"
    if origin is dict:
        return "table"
    return {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}.get(annotation, "")


# Commands -------------------------------------------------------------------------------------------------------------


async def commands() -> str:
    """Every slash command of every cog, as Discord shows it."""
    import discord
    from discord.ext import commands as bots

    from core.bot.runtime import Runtime
    from core.config import Environment
    from core.config.system import StoreSection
    from launch.bot import available_cogs

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        store = StoreSection(url=f"sqlite+aiosqlite:///{(base / 'parley.db').as_posix()}")
        async with bots.Bot("!", intents=discord.Intents.all()) as bot:
            await Runtime.attach(bot, config=Config(store=store, base=base), environ=Environment({}))
            for name in available_cogs():
                await bot.load_extension(name)
            found = sorted(bot.tree.walk_commands(), key=lambda command: command.qualified_name)
            rows = [_command(command) for command in found if not isinstance(command, discord.app_commands.Group)]
            menus = [kind for kind in discord.AppCommandType if kind is not discord.AppCommandType.chat_input]
            menus = [menu for kind in menus for menu in bot.tree.get_commands(type=kind)]
    rows += [f"| Apps › {menu.name} | |" for menu in sorted(menus, key=lambda menu: menu.name)]
    return "\n".join(["| command | |", "|---|---|", *rows])


def _command(command: app_commands.Command[Any, ..., Any]) -> str:
    options = " ".join(f"`{option.name}`" if option.required else f"[`{option.name}`]" for option in command.parameters)
    details = [
        f"`{option.name}`: {option.description}" for option in command.parameters if str(option.description) != "…"
    ]
    described = " ".join([str(command.description), *([f"({'; '.join(details)})"] if details else [])])
    return f"| `/{command.qualified_name}` {options} | {described} |".replace("  ", " ")


if __name__ == "__main__":
    GUIDE.write_text(filled(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"wrote {GUIDE}\n")
