"""The errors people may be told about: a sentence for them, the cause for the log."""

from __future__ import annotations

from typing import Literal

FetchFault = Literal[
    "address",  # no address, or one with credentials or of a scheme or port that is not opened
    "refused",  # a private, local or otherwise special address
    "dead",  # nobody answers, or not in HTTP
    "slow",
    "large",
    "redirects",
    "status",  # the server says no
    "type",  # something else than was wanted
]


class ParleyError(Exception):
    """Something went wrong that a person can understand.

    The message is one plain sentence: what was wrong and what would be right. It never holds a secret, a path of
    somebody's machine or untrusted markup. The technical cause travels as `__cause__` and is logged, not shown.
    """

    @property
    def sentence(self) -> str:
        """What to show to the person."""
        return str(self.args[0]) if self.args else type(self).__name__


class ConfigError(ParleyError):
    """The configuration cannot be used; the message names file, key, what was given and what is allowed."""


class StoreError(ParleyError):
    """The database cannot be opened, migrated or written."""


class VoiceError(ParleyError):
    """A voice session cannot start, go on, or do what was asked."""


class SpeechError(ParleyError):
    """A speech engine cannot be reached or refuses; the message names the engine and its address."""


class HearingError(ParleyError):
    """Speech cannot be turned into text."""


class ModelError(ParleyError):
    """A language model cannot be reached, refuses, answers nonsense, or stops in the middle.

    `spoken` is what the voice says of it, where who only listens would take a torn answer for a whole one.
    """

    def __init__(self, sentence: str, *, spoken: str = "") -> None:
        super().__init__(sentence)
        self.spoken = spoken


class AudioError(ParleyError):
    """A file or upload is no audio, is damaged, or is too large."""


class RecordingError(ParleyError):
    """A recording cannot start, go on, or be found."""


class LockdownError(ParleyError):
    """A lock cannot be registered, taken or undone."""


class StudioError(ParleyError):
    """A picture cannot be looked at or drawn."""


class PersonaError(ParleyError):
    """A character, card, mood or picture of one cannot be used."""


class ScheduleError(ParleyError):
    """A time is not understood, or something cannot be done at one."""


class WatchError(ParleyError):
    """A page or feed cannot be watched, or not be read."""


class FetchError(ParleyError):
    """An address cannot be fetched, or may not be.

    `kind` is why, `host` where (safe to show), `status` what the server answered if it refused, `retry_after_s` when it
    wants to be asked again, if it said so.
    """

    def __init__(
        self, sentence: str, *, kind: FetchFault, host: str = "", status: int = 0, retry_after_s: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.kind: FetchFault = kind
        self.host = host
        self.status = status
        self.retry_after_s = retry_after_s


class TrainingError(ParleyError):
    """Something of the trainer's cannot be stored, read, handed out, trained or tested."""


class WorkerError(ParleyError):
    """Work in another process was refused or did not come to its end."""


class WorkersBusy(WorkerError):
    """Too much waits already, of all or of whoever asks."""


class WorkerDied(WorkerError):
    """The process that did the work is gone, on this machine or another."""


class WorkerOverdue(WorkerError):
    """The work took longer than it may, and its process was ended."""


class WorkerOverMemory(WorkerError):
    """The work wanted more memory than it may have."""
