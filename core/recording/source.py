"""Where a recording's packets come from, and all that is to be known of that place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from core.audio.frames import OpusFrame
    from core.handles import Ending
    from core.recording.metadata import Encryption, Named
    from core.recording.unheard import UnheardSpan


class RecordingSource:
    """A place that is recorded. A source that does not know something leaves the method as it is here.

    Methods may be called from any thread.
    """

    session_id: str | None = None  # the voice session whose end ends the recording
    own_id: int | None = None  # the bot's own user id; nobody is asked whether its voice may be recorded

    def __init__(self, guild: Named, channel: Named) -> None:
        """A voice channel of a server."""
        self.guild = guild
        self.channel = channel

    def subscribe(self, callback: Callable[[OpusFrame], None], *, own_voice: bool) -> Ending:
        """Call `callback` for every packet, on the thread that has it, until the handle is ended.

        Args:
            callback: Must not block.
            own_voice: Whether what the bot says is wanted as well.
        """
        raise NotImplementedError

    def name_of(self, user_id: int) -> str:
        """A person's name, or the id if nobody knows one."""
        return str(user_id)

    def channel_name(self, channel_id: int) -> str:
        """A voice channel's name, for when the session is moved."""
        return str(channel_id)

    def encryption(self) -> Encryption | None:
        """How packets come at the moment; None while that is not known."""
        return None

    def undecryptable(self) -> Mapping[int, Mapping[str, int]]:
        """Packets that could not be decrypted, by user id and cause."""
        return {}

    def missed(self) -> Mapping[int, Sequence[UnheardSpan]]:
        """When those came, by user id."""
        return {}
