"""Where in a sound somebody speaks: Silero's voice activity detector, version 6, as faster-whisper carries it.

The network takes 512 new samples at 16 kHz (32 ms) behind 64 samples of context, with a state `h`, `c` from window to window;
0.05 ms a window. The session is shared and may be used from any thread, ONNX Runtime lets go of the interpreter meanwhile;
the state belongs to a stream.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import HearingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 16_000
WINDOW = 512
WINDOW_S = WINDOW / RATE_HZ
SPEECH, SILENCE = 0.5, 0.35  # probabilities at which speech begins, and below which it ends
LEAST_SPEECH_S = 0.25  # voiced sound that is worth a recogniser's time: less is a click, a breath, a cough
_CONTEXT = 64
_MOST_WINDOWS = 256  # at once: memory stays what it is however long the sound
_MISSING = "The voice detector is missing: pip install --force-reinstall faster-whisper."


class VadStream:
    """One person's stream: what is speech depends on what was heard before."""

    def __init__(self) -> None:
        self._session = _session()
        self.reset()

    def reset(self) -> None:
        """Forget what was heard: another stream begins."""
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._input = np.zeros((1, _CONTEXT + WINDOW), np.float32)

    def probability(self, window: NDArray[np.float32]) -> float:
        """How likely the next window holds speech, 0 to 1; shape (512,), float32 in -1..1 at 16 kHz."""
        frame = self._input
        frame[0, :_CONTEXT] = frame[0, -_CONTEXT:]
        frame[0, _CONTEXT:] = window
        return float(self._run(frame)[0])

    def probabilities(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same for each of many windows; shape (512 * n,) gives (n,)."""
        found = np.empty(len(samples) // WINDOW, np.float32)
        for first in range(0, len(found), _MOST_WINDOWS):
            windows = samples[first * WINDOW : (first + _MOST_WINDOWS) * WINDOW]
            windows = windows[: len(windows) // WINDOW * WINDOW].reshape(-1, WINDOW)
            frames = np.empty((len(windows), _CONTEXT + WINDOW), np.float32)
            frames[:, _CONTEXT:] = windows
            frames[0, :_CONTEXT] = self._input[0, -_CONTEXT:]
            frames[1:, :_CONTEXT] = windows[:-1, -_CONTEXT:]
            self._input[0] = frames[-1]
            found[first : first + len(windows)] = self._run(frames)
        return found

    def _run(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        found, self._h, self._c = self._session.run(None, {"input": frames, "h": self._h, "c": self._c})
        return found


def voiced_s(samples: NDArray[np.float32]) -> float:
    """Seconds of a whole sound that are speech."""
    return float(np.count_nonzero(VadStream().probabilities(whole_windows(samples)) >= SPEECH)) * WINDOW_S


def whole_windows(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The samples with silence behind them, so that they fill their last window."""
    missing = -len(samples) % WINDOW
    return np.pad(samples, (0, missing)) if missing else samples


@functools.cache
def _session() -> Any:
    """The network, loaded once a process.

    Raises:
        HearingError: Its file is not there.
    """
    import onnxruntime  # pyright: ignore[reportMissingTypeStubs] - it ships none

    package = importlib.util.find_spec("faster_whisper")  # found, not imported: that takes a second
    places = package.submodule_search_locations if package is not None else None
    path = Path(next(iter(places or [""]))) / "assets" / "silero_vad_v6.onnx"
    if not path.is_file():
        raise HearingError(_MISSING)
    library: Any = onnxruntime
    options = library.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return library.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
