"""`[music.ytdlp]`: sites that an extra package finds the sound of."""

from __future__ import annotations

from pydantic import Field

from core.config.section import Section

SITES = ("youtube", "youtube:tab", "soundcloud", "bandcamp", "vimeo", "mixcloud", "archive.org")


class YtDlpSection(Section):
    """Pages of sites whose sound yt-dlp finds. It is an extra package (`pip install yt-dlp`) and off unless you say so."""

    enabled: bool = Field(default=False, description="Whether /music play takes addresses of such pages.")
    sites: tuple[str, ...] = Field(
        default=SITES, description="yt-dlp's names (extractors) of the sites it may be asked about; never `generic`."
    )
    folder: str = Field(
        default="", description="Where the package lies, if not beside the others: `pip install --target`."
    )
    timeout_s: float = Field(default=30, gt=0, le=120, description="How long finding the sound of a page may take.")
