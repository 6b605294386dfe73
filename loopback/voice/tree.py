"""Who sits on which leaf of an MLS group's tree (RFC 9420, 7.7 and 12.1): all a server must know of it."""

from __future__ import annotations


class Leaves:
    """User ids by leaf index. A new leaf takes the leftmost blank one; blanks on the right are cut off."""

    def __init__(self) -> None:
        self._leaves: list[int | None] = []

    def __bool__(self) -> bool:
        return bool(self._leaves)

    @property
    def user_ids(self) -> set[int]:
        """Everybody with a leaf."""
        return {user_id for user_id in self._leaves if user_id is not None}

    def items(self) -> list[tuple[int, int]]:
        """Pairs of leaf index and user id."""
        return [(index, user_id) for index, user_id in enumerate(self._leaves) if user_id is not None]

    def index_of(self, user_id: int) -> int | None:
        """The leaf of a user."""
        return self._leaves.index(user_id) if user_id in self._leaves else None

    def add(self, user_id: int) -> int:
        """Seats a user and returns the leaf index."""
        if None in self._leaves:
            index = self._leaves.index(None)
            self._leaves[index] = user_id
            return index
        self._leaves.append(user_id)
        return len(self._leaves) - 1

    def remove(self, index: int) -> None:
        """Blanks a leaf. The tree is cut by `trim` once a commit is complete."""
        self._leaves[index] = None

    def trim(self) -> None:
        """Cuts blank leaves off the right."""
        while self._leaves and self._leaves[-1] is None:
            self._leaves.pop()

    def clear(self) -> None:
        """Forgets everybody."""
        self._leaves.clear()
