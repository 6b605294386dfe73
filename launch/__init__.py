"""What the command line starts: the bot, the demo, the doctor."""

from __future__ import annotations
