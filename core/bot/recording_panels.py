"""What recordings show in Discord: their buttons, and where panels and announcements are, kept while a cog is reloaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import discord

from core.bot.interactions import BUTTONS
from core.handles import Handle

if TYPE_CHECKING:
    from core.recording.metadata import Named
    from core.voice.session import VoiceSession

Begin = Callable[["VoiceSession", discord.abc.Messageable | None, "Named | None"], Awaitable[None]]

OWNER = "recorder"  # of the buttons
_BUTTONS: dict[str, tuple[str, discord.ButtonStyle]] = {
    "stop": ("Stop", discord.ButtonStyle.danger),
    "pause": ("Pause", discord.ButtonStyle.secondary),
    "resume": ("Go on", discord.ButtonStyle.success),
    "note": ("Note", discord.ButtonStyle.secondary),
    "agree": ("Record me", discord.ButtonStyle.success),
    "refuse": ("Don't record me", discord.ButtonStyle.secondary),
}


@dataclass(slots=True)
class RecordingPlaces:
    """What has to be kept up to date, and taken back in the end."""

    panels: dict[str, tuple[int, int]] = field(default_factory=lambda: dict[str, tuple[int, int]]())
    """By recording: the channel and the message that show it."""

    announced: dict[int, int] = field(default_factory=lambda: dict[int, int]())
    """By guild: the voice channel that was told and is marked."""

    begin: Begin | None = None
    """Records a session, announced, for somebody; None while the recorder cog is not loaded."""

    def begin_with(self, begin: Begin) -> Handle:
        """Let others begin recordings, with announcement and panel, until the handle is ended."""
        self.begin = begin

        def leave() -> None:
            if self.begin is begin:
                self.begin = None

        return Handle(leave, "beginner of recordings")


def panel_buttons(*names: str) -> discord.ui.View:
    """Buttons that the runtime listens to, by their ids: so they outlive reloads and restarts."""
    view = discord.ui.View(timeout=None)
    for name in names:
        label, style = _BUTTONS[name]
        view.add_item(discord.ui.Button(label=label, style=style, custom_id=f"{BUTTONS}{OWNER}:{name}"))
    view.stop()
    return view
