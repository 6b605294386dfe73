"""Opens the music of a runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.bot.music import Music
    from core.bot.openers import Ground
    from core.machine.workers import Workers


def open_music(ground: Ground, workers: Workers) -> Music:
    """What is played beside the voice, in sessions to come; it closes after them."""
    from core.bot.music import Music

    music = Music(ground.config, workers.strangers)
    ground.closing.close_later("music", music.close)
    return music
