"""What the people of one live recording are called: asked as soon as anybody hears of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)


class Called:
    """Names by user id. Who comes for a moment is gone, and perhaps unknown, when their packets' turn comes."""

    def __init__(self, name_of: Callable[[int], str]) -> None:
        """Ask `name_of`, which gives the id itself where nobody knows a name."""
        self._name_of = name_of
        self._names: dict[int, str] = {}

    def introduce(self, user_id: int, name: str) -> None:
        """Say what somebody is called who may be heard."""
        self._names.setdefault(user_id, name)

    def meet(self, user_id: int) -> str:
        """The name of somebody; asked once, or until somebody knows it."""
        name = self._names.get(user_id)
        if name is not None:
            return name
        try:
            name = self._name_of(user_id)
        except Exception:  # noqa: BLE001 - a name is not worth a track
            _log.exception("user %d has no name", user_id)
            name = str(user_id)
        if name != str(user_id):
            self._names[user_id] = name
        return name

    def forget(self, user_id: int) -> None:
        """Do not know somebody any more."""
        self._names.pop(user_id, None)
