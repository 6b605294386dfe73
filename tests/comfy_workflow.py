"""The workflow of ComfyUI's own first example, in API form, with something to draw filled in."""

from __future__ import annotations

from typing import Any


def workflow(
    prompt: str = "%prompt%",
    *,
    negative: str = "%negative%",
    seed: int | str = "%seed%",
    width: int | str = "%width%",
    height: int | str = "%height%",
) -> dict[str, Any]:
    """Four steps of a sampler; by default with the placeholders that `core.studio` fills."""
    sampler = {"steps": 4, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1, "seed": seed}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    return {
        "3": {"class_type": "KSampler", "inputs": sampler | links},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_xl_base_1.0.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": width, "height": height, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt, "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": negative, "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "parley"}},
    }
