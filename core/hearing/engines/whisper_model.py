"""faster-whisper's model, with one habit more: a second pass over the same sound takes up what the first one saw in it."""

from __future__ import annotations

import threading
from typing import Any, cast

import numpy as np
from faster_whisper import WhisperModel  # pyright: ignore[reportMissingTypeStubs] - it ships none
from tqdm import tqdm  # pyright: ignore[reportMissingModuleSource]


class _Whisper(WhisperModel):
    """Keeps what the encoder made of the last sound: a pass with hints and one without differ in decoding alone."""

    _seen: Any = None
    _encoded: Any = None

    def encode(self, features: Any) -> Any:
        if self._seen is None or not np.array_equal(self._seen, features):
            self._encoded = cast("Any", super()).encode(features)
            self._seen = features
        return self._encoded


def load_whisper(folder: str, device: str, compute_type: str, threads: int) -> Any:
    """Open the model of a folder; whatever the library raises is raised. No network is asked."""
    # Its progress bar, shown or not, would else make a semaphore that is left behind when this process is ended.
    cast("Any", tqdm).set_lock(threading.RLock())
    return cast(
        "Any",
        _Whisper(
            folder,
            device=device,
            compute_type=compute_type,
            cpu_threads=threads,
            num_workers=1,
            local_files_only=True,
        ),
    )
