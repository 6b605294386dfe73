"""`[fetch]`: how far and how long addresses that people give are followed."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from core.config.section import Section

NO_PLACE = "a host (nas.local), an address (192.168.1.20) or a network (10.0.0.0/8), without scheme, port or path"


def _place(text: str) -> str:
    """A host, address or network; anything else would allow nothing, silently."""
    try:
        ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        if ":" in text or "/" in text:
            raise ValueError(NO_PLACE) from None
    return text


Place = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:\[\]/-]{1,253}$"), AfterValidator(_place)]


class FetchSection(Section):
    """Pages, feeds, sound files and radio at addresses that people give. Private and local addresses are refused."""

    allow: tuple[Place, ...] = Field(
        default=(),
        description="Hosts (`nas.local`), addresses (`192.168.1.20`) and networks (`10.0.0.0/8`) that may be private all "
        "the same. Everybody who may give an address can then ask them anything that needs no login.",
    )
    page_mb: float = Field(default=8, gt=0, le=100, description="Larger pages and feeds are refused; unpacked.")
    file_mb: float = Field(default=200, gt=0, le=10_000, description="Larger files are refused; unpacked.")
    connect_timeout_s: float = Field(default=10, gt=0, le=120, description="How long a server may take to be reached.")
    answer_timeout_s: float = Field(default=15, gt=0, le=120, description="How long its answer may take to begin.")
    idle_timeout_s: float = Field(default=15, gt=0, le=300, description="How long nothing may come in the middle.")
    page_timeout_s: float = Field(default=30, gt=0, le=600, description="How long a page or feed may take, all in all.")
    file_timeout_s: float = Field(default=600, gt=0, le=7200, description="How long a file may take, all in all.")
    redirects: int = Field(default=5, ge=0, le=20, description="How often a server may send on to another address.")
    at_once: int = Field(default=16, ge=1, le=200, description="Pages and files fetched at once; others wait.")
