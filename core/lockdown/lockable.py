"""A decorator that keeps a command from running while its feature is locked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from core.lockdown.answers import is_interaction

if TYPE_CHECKING:
    from core.lockdown.service import Lockdown

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])


def lockable(feature: str) -> Callable[[F], F]:
    """Run a command only while `feature` is free; its policy answers otherwise.

    Goes under the command decorator of a prefix, slash or hybrid command, in a cog or outside of one. On a bot without
    Parley the command simply runs.
    """

    def guard(function: F) -> F:
        if not inspect.iscoroutinefunction(function):
            raise TypeError("lockable goes under the command decorator, right above `async def`")

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if await ask(feature, args):
                return await function(*args, **kwargs)
            return None

        ask = _ask
        # discord.py reads a command's annotations in the globals of the function it is given, so these must be the
        # command's own and not this module's.
        same: Any = FunctionType(guarded.__code__, function.__globals__, function.__name__, None, guarded.__closure__)
        functools.update_wrapper(same, function)
        return same

    return guard


async def _ask(feature: str, arguments: tuple[Any, ...]) -> bool:
    for argument in arguments[:2]:  # the cog comes first in a method
        bot = argument.client if is_interaction(argument) else getattr(argument, "bot", None)
        if bot is None or (not is_interaction(argument) and not hasattr(argument, "message")):
            continue
        lockdown: Lockdown | None = getattr(getattr(bot, "parley", None), "lockdown", None)
        return lockdown is None or await lockdown.allows(feature, argument)
    return True
