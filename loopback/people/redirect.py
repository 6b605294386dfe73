"""Points the discord.py of this process to another Discord, and back."""

from __future__ import annotations

from typing import Any

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route


class Redirect:
    """Remembers discord.py's addresses while they are replaced."""

    def __init__(self) -> None:
        self._saved: tuple[str, yarl.URL, str] | None = None

    def to(self, *, rest: str, gateway: str, cdn: str) -> None:
        """Send every client of this process there from now on."""
        if self._saved is None:
            self._saved = (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE)
        self._set(rest, yarl.URL(gateway), cdn)

    def restore(self) -> None:
        """Send clients where they went before; no effect if nothing was replaced."""
        if self._saved is not None:
            self._set(*self._saved)
            self._saved = None

    @staticmethod
    def _set(rest: str, gateway: yarl.URL, cdn: str) -> None:
        route: Any = Route
        socket: Any = DiscordWebSocket
        asset: Any = discord.Asset
        route.BASE, socket.DEFAULT_GATEWAY, asset.BASE = rest, gateway, cdn
