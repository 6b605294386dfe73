"""What a voice sounds like as 256 numbers: Resemblyzer's network (a d-vector), in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from core.hearing.voices.weights import Weights

    Floats = NDArray[np.float32]

RATE_HZ = 16_000
WINDOW, HOP, BANDS, CELLS = 400, 160, 40, 256  # 25 ms and 10 ms
FRAMES = 160  # that the network looks at: 1.6 s
LOUDNESS = 10 ** (-30 / 20)  # softer voices are made as loud
BATCH = 32


class VoiceEmbedding:
    """The network with its weights."""

    def __init__(self, weights: Weights) -> None:
        self._layers = [
            (
                weights[f"lstm.weight_ih_l{n}"].T,
                weights[f"lstm.weight_hh_l{n}"].T,
                weights[f"lstm.bias_ih_l{n}"] + weights[f"lstm.bias_hh_l{n}"],
            )
            for n in range(3)
        ]
        self._out, self._bias = weights["linear.weight"].T, weights["linear.bias"]

    def embed(self, windows: Sequence[Floats]) -> Floats:
        """Vectors of length 1, shape (n, 256), of sounds of 1.6 s each at 16 kHz."""
        if not windows:
            return np.zeros((0, CELLS), np.float32)
        spectra = np.stack([_spectrum(window) for window in windows])
        return np.concatenate([self._batch(spectra[at : at + BATCH]) for at in range(0, len(spectra), BATCH)])

    def _batch(self, inputs: Floats) -> Floats:
        for to_gates, recurrent, bias in self._layers:
            gates = inputs @ to_gates + bias
            hidden = np.zeros((len(inputs), CELLS), np.float32)
            cell = np.zeros_like(hidden)
            outputs = np.empty((*inputs.shape[:2], CELLS), np.float32)
            for step in range(inputs.shape[1]):
                values = (gates[:, step] + hidden @ recurrent).astype(np.float32)
                into, forget, fresh, out = (values[:, n * CELLS : (n + 1) * CELLS] for n in range(4))
                cell = _sigmoid(forget) * cell + _sigmoid(into) * np.tanh(fresh)
                hidden = _sigmoid(out) * np.tanh(cell)
                outputs[:, step] = hidden
            inputs = outputs
        raw = np.maximum(inputs[:, -1] @ self._out + self._bias, 0)
        return (raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def _sigmoid(values: Floats) -> Floats:
    return (1 / (1 + np.exp(-np.clip(values, -60, 60)))).astype(np.float32)


def _spectrum(samples: Floats) -> Floats:
    """Powers in 40 bands of the ear, every 10 ms, shape (160, 40)."""
    loudness = float(np.sqrt(np.mean(samples**2))) + 1e-9
    padded = np.pad(samples * max(1.0, LOUDNESS / loudness), WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * _HANN
    powers = (np.abs(np.fft.rfft(frames)) ** 2) @ _BANDS.T
    if len(powers) < FRAMES:
        powers = np.tile(powers, (FRAMES // len(powers) + 1, 1))
    return powers[:FRAMES].astype(np.float32)


def _mel_bands() -> Floats:
    """Slaney's triangles, as librosa makes them."""
    step = np.log(6.4) / 27

    def to_mel(hz: float) -> float:
        return 15 + float(np.log(hz / 1000)) / step if hz >= 1000 else hz / (200 / 3)

    points = np.linspace(to_mel(0.0), to_mel(RATE_HZ / 2), BANDS + 2)
    edges = np.where(points >= 15, 1000 * np.exp(step * (points - 15)), points * 200 / 3)
    hz = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.maximum(0, np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle)))
    return (triangles * (2 / (high - low))).astype(np.float32)


_BANDS = _mel_bands()
_HANN = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
