"""Commands that people say: found in what they said, carried out as whoever said them, and answered aloud."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import ParleyError
from core.handles import Handle
from core.hearing.commands import CommandGrammar
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import discord

    from core.config.hearing import CommandName, CommandsSection
    from core.conversation.service import Conversation
    from core.hearing.text import Transcription
    from core.voice.session import VoiceSession

    Carry = Callable[["SpokenCommand"], Awaitable[str]]

_log = logging.getLogger(__name__)

BROKEN = "Something went wrong with that; the log has the cause."
SAID_S = 5.0  # what is said before something else happens is not waited for any longer


@dataclass(frozen=True, slots=True)
class SpokenCommand:
    """A command that somebody said.

    Args:
        session: Where.
        member: Who; whoever carries it out asks whether they may, as for what is typed.
        say: Says something, and waits until it was said.
    """

    session: VoiceSession
    member: discord.Member
    say: Callable[[str], Awaitable[None]]

    @property
    def permissions(self) -> discord.Permissions:
        """Theirs in the voice channel."""
        return self.session.channel.permissions_for(self.member)


class SpokenCommands:
    """Knows what may be said, and who carries it out. Lives on the runtime; cogs come and go.

    Args:
        section: `[hearing.commands]`.
        conversation: Says how it went.
    """

    def __init__(self, section: CommandsSection, conversation: Conversation) -> None:
        self._section = section
        self._conversation = conversation
        self._grammar = CommandGrammar(section.phrases)
        self._carriers: dict[CommandName, Carry] = {}
        self._tasks = Tasks("spoken commands")

    def handle(self, command: CommandName, carry: Carry) -> Handle:
        """Have `carry` carry a command out, until the handle is ended.

        It gives what to say then, as one sentence, and raises a `ParleyError` to refuse, whose sentence is said.
        """
        self._carriers[command] = carry

        def undo() -> None:
            if self._carriers.get(command) is carry:
                del self._carriers[command]

        return Handle(undo, f"spoken command {command}")

    def find(self, heard: Transcription, names: Sequence[str]) -> CommandName | None:
        """The command that was said, if somebody carries it out."""
        if not self._section.enabled:
            return None
        command = self._grammar.find(heard.text, heard.hinted, names)
        return command if command in self._carriers else None

    def carry_out(self, session: VoiceSession, user_id: int, command: CommandName) -> None:
        """Carry a command out, in the background: leaving ends whoever heard it."""
        self._tasks.start(self._carry_out(session, user_id, command))

    async def close(self) -> None:
        """Carry nothing out any more."""
        await self._tasks.cancel_all()

    async def _carry_out(self, session: VoiceSession, user_id: int, command: CommandName) -> None:
        member, carry = session.guild.get_member(user_id), self._carriers.get(command)
        if member is None or member.bot or carry is None:  # they left, or the cog did
            return
        _log.info("%d said “%s” in session %s", user_id, command, session.id)

        async def say(sentence: str) -> None:
            await self._say(session, sentence)

        try:
            sentence = await carry(SpokenCommand(session, member, say))
        except ParleyError as error:
            _log.info("“%s” is not carried out: %s", command, error.sentence, exc_info=error.__cause__)
            sentence = error.sentence
        except Exception:  # noqa: BLE001 - whoever spoke is told all the same; the log has the cause
            _log.exception("“%s” was not carried out", command)
            sentence = BROKEN
        if sentence and not session.ended.is_set():
            await self._say(session, sentence)

    async def _say(self, session: VoiceSession, sentence: str) -> None:
        try:
            turn = self._conversation.say(session, sentence)
            async with asyncio.timeout(SAID_S):
                await self._conversation.finished(turn)
        except ParleyError as error:
            _log.info("what was done could not be said: %s", error.sentence)
        except TimeoutError:
            _log.debug("what was done waits to be said")
