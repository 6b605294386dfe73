"""Clients of the `openai` SDK, made off the event loop: the SDK takes most of a second to import."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from core.llm.routes import OPENAI

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from core.llm.routes import Route

CONNECT_TIMEOUT_S = 5.0
NO_KEY = "none"  # the SDK insists on a key; servers without keys do not look at it


def make_client(route: Route, key: str) -> AsyncOpenAI:
    """A client for the route. Blocks for up to a second at its first call: run it in a thread.

    It neither retries nor times out by itself except while connecting: `Models` does both, because only it knows
    whether text has already been passed on.
    """
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

    timeout = Timeout(route.total_timeout_s * 2, connect=CONNECT_TIMEOUT_S)
    # A redirect leads to a login or to another host, which has no business with our headers.
    http = DefaultAsyncHttpxClient(follow_redirects=False, timeout=timeout)
    base_url, headers = without_user(route.base_url or OPENAI)
    headers |= route.extra_headers
    client: AsyncOpenAI
    if route.kind == "azure":
        client = AsyncAzureOpenAI(
            azure_endpoint=base_url,
            api_version=route.api_version,
            api_key=key or NO_KEY,
            default_headers=headers,
            max_retries=0,
            timeout=timeout,
            http_client=http,
        )
    else:
        client = AsyncOpenAI(
            base_url=base_url,
            api_key=key or NO_KEY,
            default_headers=headers,
            max_retries=0,
            timeout=timeout,
            http_client=http,
        )
    _ = client.chat.completions, client.models  # these import the rest of the SDK
    return client


def without_user(url: str) -> tuple[str, dict[str, str]]:
    """The address without user and password, and these as a header: the SDK logs and names the addresses it asks."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if not user:
        return url, {}
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}".encode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
