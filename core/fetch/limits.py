"""How much and how long one fetch may take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.config.fetch import FetchSection

MB = 1_000_000
GRACE_S = 10.0  # a slow start is no fault
LEAST_PAGE_RATE, LEAST_FILE_RATE, LEAST_STREAM_RATE = 1_000, 8_000, 500  # bytes a second, on average


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """The bounds of one fetch; times in seconds.

    `types` are beginnings of media types (`text/`, `application/xml`) of which the answer must be one; none takes all.
    `least_rate` is in bytes a second: less, after the first ten seconds, is a drip that is not waited for.
    """

    size_bytes: int
    total_s: float
    idle_s: float
    answer_s: float
    connect_s: float
    redirects: int
    least_rate: float
    types: tuple[str, ...] = ()

    @classmethod
    def of_page(cls, section: FetchSection, types: tuple[str, ...] = ()) -> FetchLimits:
        """For a page or feed, which is held in memory."""
        return cls(
            size_bytes=int(section.page_mb * MB),
            total_s=section.page_timeout_s,
            idle_s=section.idle_timeout_s,
            answer_s=section.answer_timeout_s,
            connect_s=section.connect_timeout_s,
            redirects=section.redirects,
            least_rate=LEAST_PAGE_RATE,
            types=types,
        )

    @classmethod
    def of_file(cls, section: FetchSection) -> FetchLimits:
        """For a file, which goes to the disk."""
        page = cls.of_page(section)
        size, total = int(section.file_mb * MB), section.file_timeout_s
        return replace(page, size_bytes=size, total_s=total, least_rate=LEAST_FILE_RATE)

    @classmethod
    def of_stream(cls, section: FetchSection) -> FetchLimits:
        """For a stream without an end: neither size nor time all in all are bounded."""
        return replace(cls.of_page(section), size_bytes=0, total_s=0, least_rate=LEAST_STREAM_RATE)
