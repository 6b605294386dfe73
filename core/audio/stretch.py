"""Changes pitch and speed of speech independently, for engines that cannot do it themselves."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.frames import RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EMPTY = np.zeros(0, np.float32)
_PADDING = RATE_HZ // 5  # samples of silence, more than the filters ever hold
_SLOWEST, _FASTEST = 0.5, 100.0  # what one `atempo` takes


class TimeStretch:
    """48 kHz mono float32 in, the same out, `pitch` semitones higher and `rate` times as fast.

    FFmpeg's filters through PyAV: played at another rate for the pitch, then `atempo` for the speed. Keeps its state
    from chunk to chunk; some 60 ms stay inside until `flush`. In all, n samples become round(n / rate). With pitch 0 and
    rate 1 sound passes untouched.
    """

    def __init__(self, *, pitch: float = 0.0, rate: float = 1.0) -> None:
        self._factor = 2 ** (pitch / 12)
        self._tempo = rate / self._factor
        self._idle = math.isclose(self._factor, 1, abs_tol=1e-3) and math.isclose(rate, 1, abs_tol=1e-3)
        self._rate = rate
        self._graph: Any = None
        self._taken = 0
        self._given = 0

    def convert(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples, shape (n,), as far as they can be converted yet."""
        if self._idle or not len(samples):
            return samples
        if self._graph is None:
            self._graph = self._make_graph()
        self._push(samples)
        result = self._pull()
        self._given += len(result)
        return result

    def flush(self) -> NDArray[np.float32]:
        """What is still inside; afterwards the filters are as new."""
        if self._graph is None:
            return _EMPTY
        wanted = max(0, round(self._taken / self._rate) - self._given)
        self._push(np.zeros(_PADDING, np.float32))  # `atempo` cuts the end off what it is given
        self._graph.push(None)
        rest = self._pull()[:wanted]
        self._graph = None
        self._taken = self._given = 0
        return np.concatenate([rest, np.zeros(wanted - len(rest), np.float32)])

    def _push(self, samples: NDArray[np.float32]) -> None:
        import av

        plane = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        frame: Any = av.AudioFrame.from_ndarray(plane, format="flt", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts = self._taken
        self._taken += len(samples)
        self._graph.push(frame)

    def _make_graph(self) -> Any:
        from av.filter import Graph

        graph: Any = Graph()
        source = f"sample_rate={RATE_HZ}:sample_fmt=flt:channel_layout=mono:time_base=1/{RATE_HZ}"
        filters = [graph.add("abuffer", source)]
        if not math.isclose(self._factor, 1, abs_tol=1e-3):
            filters.append(graph.add("asetrate", str(round(RATE_HZ * self._factor))))
            filters.append(graph.add("aresample", str(RATE_HZ)))
        tempo = self._tempo
        while tempo < _SLOWEST:
            filters.append(graph.add("atempo", str(_SLOWEST)))
            tempo /= _SLOWEST
        filters.append(graph.add("atempo", f"{min(tempo, _FASTEST):.6f}"))
        filters.append(graph.add("aformat", "sample_fmts=flt:channel_layouts=mono"))
        filters.append(graph.add("abuffersink"))
        for first, second in pairwise(filters):
            first.link_to(second)
        graph.configure()
        return graph

    def _pull(self) -> NDArray[np.float32]:
        import av.error

        parts: list[NDArray[np.float32]] = []
        while True:
            try:
                parts.append(self._graph.pull().to_ndarray().reshape(-1))
            except (av.error.BlockingIOError, av.error.EOFError):  # wants more, or has given everything
                return np.concatenate(parts) if parts else _EMPTY
