"""The index of the words that were said: on SQLite FTS5 keeps words of deleted rows until it is made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

_REBUILD = text("INSERT INTO transcript_words (transcript_words) VALUES ('rebuild')")
_SAID = text("SELECT count(*) FROM transcript_segment WHERE recording_id = :recording_id")


async def forget_words(session: AsyncSession) -> None:
    """FTS5 marks words as deleted and drops them some day: here they are gone at once, with every copy in its tables."""
    if session.get_bind().dialect.name == "sqlite":
        await session.execute(_REBUILD)


async def things_said(session: AsyncSession, recording_id: str) -> int:
    """How much is indexed of a recording."""
    return await session.scalar(_SAID, {"recording_id": recording_id}) or 0
