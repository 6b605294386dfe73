"""The player: a thread that sends 20 ms of sound every 20 ms, whatever the rest of the process does."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.audio.frames import FRAME_S, RATE_HZ
from core.errors import VoiceError
from core.voice.playback.composer import Composer, Frame
from core.voice.playback.monitor import Monitor
from core.voice.playback.pace import Pace, quick_switching
from core.voice.playback.preroll import Preroll
from core.voice.playback.stats import Counters, PlaybackStats
from core.voice.playback.stream import BusName, PlaybackStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from core.voice.playback.wire import FrameEncoder, ThreadClock, Wire

_log = logging.getLogger(__name__)

LEAD_S = (
    0.004  # a frame is mixed and encoded this long before it is due, so that only the sending is left to the minute
)
HOLD_S = 0.01  # how often lines that gather sound are looked at
AWAY_S = 0.02  # how often a connection that is away is looked at


@dataclass(frozen=True, slots=True)
class QueuedStream:
    """One line in a bus, for lists."""

    turn_id: str
    bus: BusName
    queued_s: float
    heard_s: float
    begun: bool


class Player:
    """Plays lines over one voice connection. It lives as long as the connection object, through moves and reconnects.

    Three buses sound together: `speech` over `media`, which is ducked meanwhile, and `effect` over both. The lines of a bus
    play in order, without a gap where the next is there in time. While the connection is away nothing is taken from the lines and nothing is lost; sound goes on where it was.

    `monitor` hears every frame that went out, as it went out.

    While it sends, the player lowers the interpreter's switch interval to 0.1 ms, because every thread that computes
    holds the others up by that long, in turn. Cost and gain are measured by `python -m bench pacing`.
    """

    def __init__(
        self,
        wire: Wire,
        make_encoder: Callable[[], FrameEncoder],
        *,
        volume: float = 1.0,
        name: str = "player",
        clock: ThreadClock = time,
    ) -> None:
        """Prepare to play on `wire`; neither thread nor encoder is made before the first line.

        Args:
            wire: Where frames go.
            make_encoder: Makes the Opus encoder.
            volume: How loud to begin, 0 to 2.
            name: For the thread and the log.
            clock: Paces the frames.
        """
        self.monitor = Monitor()
        self._wire = wire
        self._make_encoder = make_encoder
        self._name = name
        self._clock = clock
        self._counters = Counters()
        self._volume = volume
        self._others_speak = False
        self._composer: Composer | None = None
        self._prerolls: dict[BusName, Preroll] = {name: Preroll() for name in ("speech", "media", "effect")}
        self._pace = Pace()
        self._condition = threading.Condition()
        self._woken = False
        self._closed = False
        self._sending = False
        self._thread: threading.Thread | None = None
        self._heard_before: set[int] = set()

    # Lines ------------------------------------------------------------------------------------------------------------

    def line(self, turn_id: str, *, bus: BusName = "speech", said_for: int | Iterable[int] = ()) -> PlaybackStream:
        """A new line, queued behind the earlier ones of the same bus.

        Args:
            turn_id: What it belongs to.
            bus: Speech, media, or effect.
            said_for: Ids of those whose words or file it is, or answers; 0 is nobody. The recording of the bot's own voice asks whether it may.

        Raises:
            VoiceError: The player is closed, or there is no Opus library.
        """
        with self._condition:
            if self._closed:
                raise VoiceError("The voice connection is over; nothing can be played on it.")
            composer = self._start()
            line = PlaybackStream(
                turn_id,
                bus,
                preroll=self._prerolls[bus],
                wake=self._wake,
                now=self._clock.monotonic,
                said_for=frozenset((said_for,) if isinstance(said_for, int) else said_for) - {0},
            )
            composer.buses[bus].add(line)
        return line

    def queued(self) -> list[QueuedStream]:
        """What plays and waits, speech first."""
        return [
            QueuedStream(line.turn_id, line.bus, line.queued_s, line.heard_samples / RATE_HZ, line.begun)
            for line in self._lines()
        ]

    def skip(self, bus: BusName | None = None) -> bool:
        """Stop the first line of `bus`, by default of whichever bus has one, media first; false if there was none."""
        for name in ("media", "speech") if bus is None else (bus,):
            for line in self._lines(name):
                if not line.stopping:
                    line.stop()
                    return True
        return False

    def stop_all(self, bus: BusName | None = None) -> int:
        """Stop every line (of one bus); gives how many there were."""
        lines = [line for line in self._lines(bus) if not line.stopping]
        for line in lines:
            line.stop()
        return len(lines)

    # State ------------------------------------------------------------------------------------------------------------

    @property
    def volume(self) -> float:
        """How loud everything is; 1 is as written, 2 is the most."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._volume = min(2.0, max(0.0, volume))
        if self._composer is not None:
            self._composer.mixer.volume = self._volume

    def duck_media(self, *, on: bool) -> None:
        """Let media be quiet as under speech of the bot's, or no longer, because others speak. From any thread."""
        self._others_speak = on
        if self._composer is not None:
            self._composer.mixer.others_speak = on

    @property
    def paused(self) -> bool:
        """Whether playback is paused."""
        return self._composer is not None and self._composer.paused

    def pause(self) -> None:
        """Hold everything where it is, with a short fade."""
        with self._condition:
            self._start().paused = True
        self._wake()

    def resume(self) -> None:
        """Go on from the very sample where `pause` held."""
        if self._composer is not None:
            self._composer.paused = False
        self._wake()

    @property
    def sending(self) -> bool:
        """Whether a talk-spurt of ours is on the wire."""
        return self._sending

    @property
    def stats(self) -> PlaybackStats:
        """What happened so far."""
        counters = self._counters
        return PlaybackStats(
            frames_sent=counters.frames_sent,
            silence_frames=counters.silence_frames,
            spurts=counters.spurts,
            underruns=counters.underruns,
            underrun_frames=counters.underrun_frames,
            unsent=counters.unsent,
            waits=counters.waits,
            anchors=self._pace.anchors,
            max_gap_ms=counters.max_gap_s * 1000,
            p99_gap_ms=counters.p99_gap_ms(),
            largest_burst=counters.largest_burst,
            preroll_ms=self._prerolls["speech"].target_s * 1000,
        )

    def close(self) -> None:
        """Give up: every line ends as `closed`, the thread goes. Does not wait for it; see `join`."""
        with self._condition:
            self._closed = True
            if self._thread is None and self._composer is not None:
                self._composer.close()
        self._wake()

    def join(self, timeout_s: float = 1.0) -> None:
        """Wait until the thread of a closed player is gone."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _lines(self, bus: BusName | None = None) -> list[PlaybackStream]:
        composer = self._composer
        if composer is None:
            return []
        return [line for name, there in composer.buses.items() if bus in (None, name) for line in there.lines]

    # The thread -------------------------------------------------------------------------------------------------------

    def _start(self) -> Composer:
        if self._composer is None:
            self._composer = Composer(self._make_encoder(), self._counters, volume=self._volume)
            self._composer.mixer.others_speak = self._others_speak
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(
                target=self._run, args=(self._composer,), name=f"parley-{self._name}", daemon=True
            )
            self._thread.start()
        return self._composer

    def _wake(self) -> None:
        self._woken = True
        if not self._sending:
            with self._condition:
                self._condition.notify_all()

    def _run(self, composer: Composer) -> None:
        try:
            while not self._closed:
                composer.sweep(cut=True)
                if composer.due(self._clock.monotonic()):
                    self._spurt(composer)
                else:
                    self._wait(HOLD_S if composer.holding else None)
        except Exception:  # noqa: BLE001 - the last place to log it; whoever waits for a line must not wait for ever
            _log.exception("the player %s failed; its lines are closed", self._name)
        finally:
            self._closed = True
            composer.close()

    def _wait(self, timeout_s: float | None) -> None:
        with self._condition:
            if not self._woken and not self._closed:
                self._condition.wait(timeout_s)
            self._woken = False

    def _spurt(self, composer: Composer) -> None:
        """From the first sound to the last of the five frames of silence."""
        if not self._await_connection(composer) or not composer.due(self._clock.monotonic()):
            return
        self._counters.spurts += 1
        self._counters.begin()
        composer.begin()
        self._sending = True
        self._wire.announce(True)
        try:
            with quick_switching():
                self._pace.anchor(self._clock.monotonic())
                while not self._closed:
                    composer.sweep()
                    # A frame is made right after the one before was sent, so that 20 ms are left to get hold of the
                    # interpreter, and only the sending is left for the deadline.
                    if composer.dry(self._clock.monotonic()):
                        self._sleep_until(self._pace.deadline_s - LEAD_S)
                    frame = composer.next(self._clock.monotonic())
                    if frame is None:
                        break
                    self._sleep_until(self._pace.deadline_s)
                    self._deliver(composer, frame)
        finally:
            self._sending = False
            self._woken = True  # a wake that came while sending was not notified
            self._wire.announce(False)

    def _deliver(self, composer: Composer, frame: Frame) -> None:
        """Send `frame`, once, however long the connection is away meanwhile; then credit it to its lines."""
        while not self._closed:
            if not self._wire.connected():
                if not self._await_connection(composer):
                    return
                self._wire.announce(True)
                self._counters.begin()
                self._pace.anchor(self._clock.monotonic())
                if frame.blocks and all(block.line.stopping for block in frame.blocks):
                    break  # stopped meanwhile: nobody wants to hear it any more
            if self._wire.send_frame(frame.opus):
                now_s = self._clock.monotonic()
                self._counters.sent(now_s, silent=frame.silent)
                self.monitor.sent(frame.opus, self._pace.deadline_s, now_s, self._said_for(frame))
                self._pace.sent(now_s)
                self._credit(frame, now_s)
                return
            self._counters.unsent += 1
            self._clock.sleep(FRAME_S)
            self._pace.anchor(self._clock.monotonic())
        for block in frame.blocks:
            if block.outcome is not None:
                block.line.finish("closed" if self._closed else "stopped")

    def _said_for(self, frame: Frame) -> tuple[int, ...]:
        """For whom a frame sounds: also who was heard in the one before, whose end the codec puts into this one."""
        here = {user_id for block in frame.blocks for user_id in block.line.said_for}
        both = tuple(here | self._heard_before)
        self._heard_before = here
        return both

    def _credit(self, frame: Frame, now_s: float) -> None:
        for block in frame.blocks:
            if block.count:
                block.line.sent(block.count, now_s)
            if block.outcome is not None:
                block.line.finish(block.outcome)

    def _await_connection(self, composer: Composer) -> bool:
        """Wait while the connection is away; stopped lines still end. False when the player was closed."""
        if not self._wire.connected():
            self._counters.waits += 1
            _log.info("the player %s waits for its connection", self._name)
        while not self._closed and not self._wire.connected():
            composer.sweep_stopped()
            self._clock.sleep(AWAY_S)
        return not self._closed

    def _sleep_until(self, deadline_s: float) -> None:
        delay_s = deadline_s - self._clock.monotonic()
        if delay_s > 0:
            self._clock.sleep(delay_s)
