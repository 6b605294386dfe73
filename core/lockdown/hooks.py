"""Sends requests to other servers on lock and unlock: a model server is told to free its memory, and that it may load again."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from core.errors import LockdownError
from core.names import term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.config.lockdown import HookSection

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HookCall:
    """One request, without the secrets it will carry: those are read from the environment when it is sent."""

    name: str
    url: str = field(repr=False)  # like headers and body, it may hold what nobody is to see
    method: str = "POST"
    body: Any = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    header_env: dict[str, str] = field(default_factory=dict[str, str])
    timeout_s: float = 5.0

    @classmethod
    def on_lock(cls, hook: HookSection) -> HookCall:
        """What a hook asks when a session starts."""
        return cls._of(hook, hook.lock_url, hook.lock_body)

    @classmethod
    def on_unlock(cls, hook: HookSection) -> HookCall:
        """What a hook asks when the last session is over."""
        return cls._of(hook, hook.unlock_url, hook.unlock_body)

    @classmethod
    def _of(cls, hook: HookSection, url: str, body: Any) -> HookCall:
        return cls(hook.name, url, hook.method, body, hook.headers, hook.header_env, hook.timeout_s)


class Hooks:
    """Sends the requests. One HTTP session, opened with the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._http: aiohttp.ClientSession | None = None

    async def call(self, call: HookCall) -> None:
        """Send one request; a call without an address does nothing.

        Raises:
            LockdownError: The server cannot be reached, takes too long, or answers with an error; or a secret is gone.
        """
        if not call.url:
            return
        missing = sorted(variable for variable in call.header_env.values() if not self._environ.get(variable))
        if missing:  # since the ledger was written: settings with such a hook are refused at start
            raise LockdownError(f"The hook “{term(call.name)}” needs {', '.join(missing)}, which is not set any more.")
        headers = call.headers | {header: self._environ[variable] for header, variable in call.header_env.items()}
        if self._http is None:
            self._http = aiohttp.ClientSession()
        try:
            async with (
                asyncio.timeout(call.timeout_s),
                self._http.request(call.method, call.url, json=call.body, headers=headers) as response,
            ):
                await response.read()
        except TimeoutError as error:
            raise LockdownError(f"The hook “{term(call.name)}” did not answer within {call.timeout_s:g} s.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise LockdownError(f"The hook “{term(call.name)}” cannot be reached.") from error
        if response.status >= 400:
            raise LockdownError(f"The hook “{term(call.name)}” answered with status {response.status}.")
        _log.info("hook %s: %s answered %d", call.name, call.method, response.status)

    async def close(self) -> None:
        """Close the HTTP session."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()
