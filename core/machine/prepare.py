"""What processes of a lane import before their first job: it then neither takes the job's time nor its memory."""

from __future__ import annotations


def open_decoders() -> None:
    """Import what opens pictures, videos and sound."""
    import av
    import numpy as np
    from PIL import Image

    Image.init()
    av.Codec("h264", "r")
    np.zeros(1).sum()
