"""Commands whose annotations mean something only in this module."""

from __future__ import annotations

import discord as library  # noqa: TC002 - discord.py reads the annotations when a command is made
from discord.ext import commands as ext  # noqa: TC002 - discord.py reads the annotations when a command is made

from core.lockdown import lockable

Times = int


@lockable("pictures")
async def draw(interaction: library.Interaction, times: Times) -> None:
    """Draw."""


@lockable("pictures")
async def prefix_draw(context: ext.Context, times: Times = 1) -> None:
    """Draw."""
