"""The one way to addresses that people give: public ones only, with bounded size, time, headers and redirects.

Nothing of the bot goes along: no cookies, no credentials, no proxies or logins of the environment.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from core import __version__
from core.clock import SystemClock
from core.errors import FetchError
from core.fetch.addresses import Gatekeeper
from core.fetch.answers import Downloaded, Fetched, Head, Validators, read_head, retry_after_s
from core.fetch.body import pieces, too_large
from core.fetch.connecting import Attempt, GuardedConnector, attempt, trace_connections
from core.fetch.files import keep
from core.fetch.limits import FetchLimits
from core.fetch.stream import FetchStream
from core.fetch.urls import NO_URL, parse, shown_host

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    import yarl

    from core.clock import Clock
    from core.config.fetch import FetchSection

USER_AGENT = f"Parley/{__version__} (a Discord bot)"
REDIRECTS = (301, 302, 303, 307, 308)
GONE_ELSEWHERE = frozenset({"accept", "accept-language", "icy-metadata"})  # headers that any host may see

UNKNOWN = "There is no server named {host}."
DEAD = "{host} cannot be reached."
CERTIFICATE = "{host} has no valid certificate."
NONSENSE = "{host} does not answer as web servers do."
UNREACHED = "{host} could not be reached within {limit:g} s."
SLOW_HEAD = "{host} did not answer within {limit:g} s."
SLOW = "{host} took longer than {limit:g} s, which is the most I wait."
REFUSED = "{host} is not on the public internet, and other addresses I do not open."
REDIRECTED = "{host} sends on from one address to the next, more than {limit} times."
NOWHERE = "{host} sends on to no address that I open."
STATUS = "{host} says no: {status}{reason}."
REASONS = {
    401: ", a login is needed",
    403: ", not for everybody",
    404: ", there is nothing",
    410: ", it is gone",
    429: ", too many requests",
    451: ", forbidden by law there",
    500: ", it has a fault",
    502: ", it is down",
    503: ", it is down",
    504: ", it is down",
}
TYPE = "What {host} sends there is {found}, not what was looked for."


class Fetcher:
    """Fetches pages, files and streams from addresses that people give."""

    def __init__(self, section: FetchSection, clock: Clock | None = None) -> None:
        self._section = section
        self._clock = clock or SystemClock()
        self._gate = Gatekeeper(section.allow)
        self._places = asyncio.Semaphore(section.at_once)
        self._session: aiohttp.ClientSession | None = None
        self.page_limits = FetchLimits.of_page(section)
        self.file_limits = FetchLimits.of_file(section)
        self.stream_limits = FetchLimits.of_stream(section)

    async def close(self) -> None:
        """End every connection. Fetches under way fail; a later one opens anew."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(
        self,
        url: str,
        limits: FetchLimits | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        validators: Validators | None = None,
    ) -> Fetched:
        """A page or feed, unpacked, in memory.

        Args:
            url: As somebody gave it.
            limits: `page_limits` by default.
            headers: Sent along; to another host only what tells nothing.
            validators: Of the version that is known, from its `head`.

        Raises:
            FetchError: Whatever stands against it, in one sentence; `kind` says which.
        """
        limits = limits or self.page_limits
        async with (
            self._places,
            self._within(limits, url),
            self._answer(url, limits, headers, validators) as (head, response, host),
        ):
            if head.status == 304:
                return Fetched(head)
            _refuse_declared(response, limits, host)
            body = bytearray()
            async with aclosing(pieces(response, limits, host)) as parts:
                async for part in parts:
                    body += part
            return Fetched(head, bytes(body))

    async def download(
        self, url: str, into: Path, limits: FetchLimits | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Downloaded:
        """A file, as a private one in the folder `into`; the caller deletes it. Nothing is left if it fails.

        Raises:
            FetchError: As for `get`.
            OSError: The disk is full or gone.
        """
        limits = limits or self.file_limits
        async with (
            self._places,
            self._within(limits, url),
            self._answer(url, limits, headers, None) as (head, response, host),
        ):
            _refuse_declared(response, limits, host)
            path, size = await keep(into, pieces(response, limits, host))
            return Downloaded(head, path, size)

    @asynccontextmanager
    async def stream(
        self, url: str, limits: FetchLimits | None = None, *, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[FetchStream]:
        """A stream without an end, as long as the context lasts.

        Raises:
            FetchError: As for `get`; also in the middle, from the stream.
        """
        limits = limits or self.stream_limits
        async with self._answer(url, limits, headers, None) as (head, response, host):
            stream = FetchStream(head, response.content_length, pieces(response, limits, host), host)
            try:
                yield stream
            finally:
                await stream.aclose()

    # One answer ---------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _answer(
        self, text: str, limits: FetchLimits, headers: Mapping[str, str] | None, validators: Validators | None
    ) -> AsyncGenerator[tuple[Head, aiohttp.ClientResponse, str]]:
        """The first answer that sends nowhere else; 200, or 304 where that was asked for."""
        response, url = await self._follow(text, limits, headers or {}, validators)
        host = shown_host(url)
        try:
            head = read_head(str(url), response.status, response.headers)
            asked = validators is not None and bool(validators) and validators.url == head.url
            if not (200 <= head.status < 300 or (head.status == 304 and asked)):
                raise self._refusal(head, host)
            if head.status != 304 and limits.types and not head.content_type.startswith(limits.types):
                raise FetchError(TYPE.format(host=host, found=_kind(head)), kind="type", host=host)
            yield head, response, host
        finally:
            response.close()

    async def _follow(
        self, text: str, limits: FetchLimits, headers: Mapping[str, str], validators: Validators | None
    ) -> tuple[aiohttp.ClientResponse, yarl.URL]:
        """Ask, and ask again where it sends to; every step is looked at like the first."""
        url = parse(text)
        origin = url.origin()
        for _ in range(limits.redirects + 1):
            sent = dict(headers) if url.origin() == origin else _harmless(headers)
            if validators is not None and validators.url == str(url):
                sent |= _conditions(validators)
            response = await self._ask(url, limits, sent)
            if response.status not in REDIRECTS:
                return response, url
            response.close()
            place = response.headers.get("Location", "")
            if not place.strip():
                raise FetchError(NOWHERE.format(host=shown_host(url)), kind="redirects", host=shown_host(url))
            url = parse(place, url)
        host = shown_host(url)
        raise FetchError(REDIRECTED.format(host=host, limit=limits.redirects), kind="redirects", host=host)

    async def _ask(self, url: yarl.URL, limits: FetchLimits, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """One request, up to the end of the answer's head."""
        host = shown_host(url)
        trial = Attempt(allowed=self._gate.knows(url.raw_host or ""))
        token = attempt.set(trial)
        try:
            async with asyncio.timeout(limits.connect_s) as deadline:
                trial.connected = lambda: deadline.reschedule(asyncio.get_running_loop().time() + limits.answer_s)
                return await self._open().get(
                    url,
                    headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate", **headers},
                    allow_redirects=False,
                    auto_decompress=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                    trace_request_ctx=trial,
                )
        except TimeoutError as error:
            if trial.connected is not None:
                raise FetchError(UNREACHED.format(host=host, limit=limits.connect_s), kind="slow", host=host) from error
            raise FetchError(SLOW_HEAD.format(host=host, limit=limits.answer_s), kind="slow", host=host) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _told(error, trial, host) from error
        finally:
            attempt.reset(token)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=GuardedConnector(self._gate),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                requote_redirect_url=False,
                trace_configs=[trace_connections()],
            )
        return self._session

    @asynccontextmanager
    async def _within(self, limits: FetchLimits, url: str) -> AsyncGenerator[None]:
        """The time that all of it may take."""
        try:
            async with asyncio.timeout(limits.total_s or None):
                yield
        except TimeoutError as error:
            host = shown_host(parse(url))
            raise FetchError(SLOW.format(host=host, limit=limits.total_s), kind="slow", host=host) from error

    def _refusal(self, head: Head, host: str) -> FetchError:
        sentence = STATUS.format(host=host, status=head.status, reason=REASONS.get(head.status, ""))
        wait = retry_after_s(head.headers, self._clock.now())
        return FetchError(sentence, kind="status", host=host, status=head.status, retry_after_s=wait)


def _told(error: Exception, trial: Attempt, host: str) -> FetchError:
    """A failed connection as a sentence."""
    if trial.refused:
        return FetchError(REFUSED.format(host=host), kind="refused", host=host)
    if isinstance(error, aiohttp.InvalidURL):  # 127.1 and the like, which some systems take for an address
        return FetchError(NO_URL, kind="address", host=host)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return FetchError(UNKNOWN.format(host=host), kind="dead", host=host)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return FetchError(CERTIFICATE.format(host=host), kind="dead", host=host)
    if isinstance(error, aiohttp.ClientResponseError | ValueError):
        return FetchError(NONSENSE.format(host=host), kind="dead", host=host)
    return FetchError(DEAD.format(host=host), kind="dead", host=host)


def _harmless(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in GONE_ELSEWHERE}


def _conditions(validators: Validators) -> dict[str, str]:
    found = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return {name: value for name, value in found.items() if value}


def _kind(head: Head) -> str:
    """The media type that a server names, without markup."""
    plain = "".join(each for each in head.content_type if each.isalnum() or each in "/.+-")[:60]
    return plain or "of no kind"


def _refuse_declared(response: aiohttp.ClientResponse, limits: FetchLimits, host: str) -> None:
    """Refuse by its own word what is too large; what it really sends is counted all the same."""
    length = response.content_length
    if limits.size_bytes and length is not None and length > limits.size_bytes:
        raise too_large(host, limits)
