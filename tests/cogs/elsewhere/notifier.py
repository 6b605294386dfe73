"""Somebody else's cog: a scheduled notifier and a command, which give way while Parley talks.

It knows `core.lockdown` and `bot.parley`, and nothing else of Parley.
"""

from __future__ import annotations

from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from discord import app_commands
from discord.ext import commands

from core.lockdown import BlockPolicy, Feature, PausePolicy, lockable


class Notifier(commands.Cog):
    """Counts every tenth of a second, and tells the count."""

    def __init__(self, bot: commands.Bot) -> None:
        self.bot: Any = bot
        self.ticks = 0

    async def cog_load(self) -> None:
        """Start the job and let Parley know what may be paused and blocked."""
        self.scheduler = AsyncIOScheduler(timezone="UTC")
        self.job = self.scheduler.add_job(self.tick, "interval", seconds=0.1)
        self.scheduler.start()
        lockdown = self.bot.parley.lockdown
        lockdown.register(Feature("notifier", "Notifier", PausePolicy(self.job.pause, self.job.resume)), owner=self)
        lockdown.register(Feature("counting", "Counting", BlockPolicy("I count again after the call.")), owner=self)

    async def cog_unload(self) -> None:
        """Stop the job."""
        self.bot.parley.lockdown.unregister(self)
        self.scheduler.shutdown(wait=False)

    async def tick(self) -> None:
        """Count."""
        self.ticks += 1

    @property
    def paused(self) -> bool:
        """Whether the job waits."""
        return self.job.next_run_time is None

    @app_commands.command(name="count", description="How far the notifier has counted.")
    @lockable("counting")
    async def count(self, interaction: Any) -> None:
        """Tell the count by slash command."""
        await interaction.response.send_message(f"{self.ticks} ticks")

    @commands.command(name="count")
    @lockable("counting")
    async def count_by_prefix(self, context: commands.Context[Any], word: str = "ticks") -> None:
        """Tell the count by prefix command."""
        await context.send(f"{self.ticks} {word}")


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(Notifier(bot))
