"""`[studio]`: looking at pictures and drawing them."""

from __future__ import annotations

from pydantic import Field

from core.config.section import Section, Variable


class ComfySection(Section):
    """`[studio.comfyui]`: a ComfyUI server. Without a `workflow`, nothing is drawn."""

    url: str = Field(default="http://127.0.0.1:8188", pattern=r"^https?://\S+$")
    workflow: str = Field(
        default="",
        description="Path of a workflow exported in API form. In its values, %prompt%, %negative%, %seed%, %width% and "
        "%height% are filled in.",
    )
    output_node: str = Field(
        default="",
        description="Id of the node whose picture is shown, where a workflow saves several. Empty: the last that is saved "
        "and is no mask.",
    )
    headers: dict[str, str] = Field(default_factory=dict[str, str], description="Sent with every request.")
    header_env: dict[str, Variable] = Field(
        default_factory=dict[str, Variable], description="Header to the environment variable that holds its value."
    )
    negative: str = Field(default="", description="What %negative% becomes.")
    width: int = Field(default=1024, ge=64, le=4096)
    height: int = Field(default=1024, ge=64, le=4096)
    connect_timeout_s: float = Field(default=5, gt=0, description="How long the server may take to answer a request.")
    timeout_s: float = Field(default=180, gt=0, description="How long a picture may take, waiting in line included.")
    max_waiting: int = Field(default=5, ge=1, description="Drawings asked for at once; more are refused.")
    max_prompt_chars: int = Field(default=1000, ge=1, le=10000)


class StudioSection(Section):
    """Which servers see and draw."""

    vision_route: str = Field(
        default="", description="Model route that looks at pictures; empty takes the current one if it has vision."
    )
    max_pictures: int = Field(default=4, ge=1, le=16, description="Pictures and frames that are looked at, a message.")
    max_file_mb: int = Field(default=25, ge=1, le=500, description="Larger files are not looked at.")
    max_megapixels: int = Field(default=50, ge=1, le=80, description="Larger pictures are not looked at.")
    max_total_megapixels: int = Field(
        default=250,
        ge=50,
        le=100_000,
        description="Unpacked of one animation, all frames together, and four times that of a video; of more, only the first frames are seen.",
    )
    max_side_px: int = Field(default=1024, ge=64, le=4096, description="Pictures are made this small for the model.")
    max_looks: int = Field(
        default=4, ge=1, le=100, description="Messages whose pictures are looked at, at once; more are refused."
    )
    max_video_s: float = Field(default=60, gt=0, description="Of a longer video only this much is looked at.")
    comfyui: ComfySection = ComfySection()
