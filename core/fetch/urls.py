"""Addresses as people give them: which are opened at all, and how they are shown."""

from __future__ import annotations

import re

import yarl

from core.errors import FetchError

MAX_URL_CHARS = 2048
SCHEMES = ("http", "https")
PORTS_BELOW_1024 = frozenset({80, 81, 82, 83, 84, 85, 86, 88, 443, 591})  # web servers and radio stations
# Services that a request might talk to by mistake: the list of the Fetch standard, and databases.
BAD_PORTS = frozenset(
    {
        1080, 1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 3128, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432,
        5672, 5900, 5984, 6000, 6379, 6380, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9042, 9200, 9300, 10080,
        11211, 27017,
    }
)  # fmt: skip

NO_URL = "That is no address of a page or file: one begins with https:// or http://."
LONG = f"An address may have at most {MAX_URL_CHARS} characters."
SCHEME = "I open only http and https addresses, not {scheme}."
CREDENTIALS = "I open no address that holds a user name or password."
PORT = "I do not open port {port} of {host}: other services than web servers listen there."

_ODD = re.compile(r"[^a-z0-9.:\[\]-]")
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\x9f\s\\]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def parse(text: str, base: yarl.URL | None = None) -> yarl.URL:
    """An address that may be asked, without its fragment.

    Args:
        text: As somebody gave it; untrusted.
        base: Where it was found, if it may be relative to that.

    Raises:
        FetchError: It is none, or one that is not opened.
    """
    text = text.strip()
    if len(text) > MAX_URL_CHARS:
        raise FetchError(LONG, kind="address")
    if not text or _UNSEEN.search(text):
        raise FetchError(NO_URL, kind="address")
    if (found := _SCHEME.match(text)) and found[1].lower() not in SCHEMES and "://" not in found[1]:
        _refuse_scheme(text, found[1].lower())
    try:
        url = yarl.URL(text)
        if base is not None:
            url = base.join(url)
        host, port = url.host, url.explicit_port
    except (ValueError, UnicodeError) as error:
        raise FetchError(NO_URL, kind="address") from error
    if url.scheme not in SCHEMES or not host:
        raise FetchError(NO_URL, kind="address")
    if url.user is not None or url.password is not None:
        raise FetchError(CREDENTIALS, kind="address", host=shown_host(url))
    if port is not None and (port in BAD_PORTS or (port < 1024 and port not in PORTS_BELOW_1024)):
        raise FetchError(PORT.format(port=port, host=shown_host(url)), kind="address", host=shown_host(url))
    return url.with_fragment(None)


def _refuse_scheme(text: str, scheme: str) -> None:
    """Raise for `file:` and the like; `example.org:8000/x` has no scheme, and is no address either."""
    if re.match(r"\d{1,5}(?:[/?#]|$)", text[len(scheme) + 1 :]):
        raise FetchError(NO_URL, kind="address")
    raise FetchError(SCHEME.format(scheme=f"{scheme[:20]}:"), kind="address")


def shown_host(url: yarl.URL) -> str:
    """The host of an address for people and for the log: no credentials, path, query or markup."""
    host = (url.raw_host or "").lower()[:100]
    shown = f"[{host}]" if ":" in host else host
    port = url.explicit_port
    if port is not None and not url.is_default_port():
        shown = f"{shown}:{port}"
    return _ODD.sub("?", shown)
