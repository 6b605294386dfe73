"""What a server of somebody else's said when it refused or broke off, in the words of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXCERPT = 500  # characters of a refusal that are logged

_WORDS = {
    400: "refused the request",
    401: "refused the key",
    402: "wants to be paid first",
    403: "refused the key",
    404: "does not know this address or model",
    413: "found what I sent too long",
    422: "refused the request",
    429: "has too many requests, or its quota is used up",
}


class RefusalError(Exception):
    """What a server said when it refused: for the log, not for people."""

    def __init__(self, said: str) -> None:
        super().__init__(said[:_EXCERPT])


def refusal(status: int, own: Mapping[int, str] | None = None) -> str:
    """An HTTP status in words, as the end of "The speech engine X ...".

    Args:
        status: The status, no success.
        own: What some mean to this kind of server.
    """
    words = (own or {}).get(status) or _WORDS.get(status, "failed" if status >= 500 else "refused the request")
    return f"{words} (HTTP {status})"


async def what_was_said(response: aiohttp.ClientResponse) -> RefusalError:
    """The beginning of a refusal's body, as the cause of an error."""
    return RefusalError((await response.content.read(_EXCERPT)).decode(errors="replace"))


def broken(error: Exception) -> str:
    """What went wrong with a connection, as the end of "The speech engine X ..."."""
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return "cannot be reached; is it running?"
    return "broke the connection"
