"""Models that were trained, as routes: each belongs to the server that trained it, which may choose to be answered by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.store.training_records import TrainingJob, TrainingJobsRepository
    from core.training.provider import Provider

NO_ROUTE = "There is no model of that name on this server. {known}"
KNOWN = "There are: {names}."
NONE = "None was trained yet."


def route_name(job: TrainingJob) -> str:
    """The name of the route that a job's model is."""
    return f"tuned-{job.id}"


class TunedRoutes:
    """What was trained on each server, and which of it answers there."""

    def __init__(self, repository: TrainingJobsRepository, provider: Provider) -> None:
        self._repository = repository
        self._provider = provider
        self._chosen: dict[int, str] = {}
        self._tuned: dict[int, dict[str, str]] = {}  # by server, models by the names of their routes

    async def open(self) -> None:
        """Load what servers chose; `offer` adds what there is to choose.

        Raises:
            StoreError: The database cannot be read.
        """
        self._chosen = dict(await self._repository.chosen_routes())

    def offer(self, job: TrainingJob) -> bool:
        """Make a job's model a route of its server; whether it can answer at once."""
        if not self._provider.offer(job.route, route_name(job), job.model):
            return False
        self._tuned.setdefault(job.guild_id, {})[route_name(job)] = job.model
        return True

    def of(self, guild_id: int) -> Mapping[str, str]:
        """The routes that were trained on a server, and their models: nobody else may use what people said there."""
        return self._tuned.get(guild_id, {})

    def chosen(self, guild_id: int | None) -> str | None:
        """The route that a server chose; None for the usual one."""
        chosen = self._chosen.get(guild_id or 0)
        return chosen if chosen is not None and chosen in self.of(guild_id or 0) else None

    async def choose(self, guild_id: int, name: str | None) -> None:
        """Have a server answered by one of its routes; None for the usual one.

        Raises:
            TrainingError: It has none of that name.
        """
        if name is not None and name not in self.of(guild_id):
            names = ", ".join(f"`{each}`" for each in self.of(guild_id))
            raise TrainingError(NO_ROUTE.format(known=KNOWN.format(names=names) if names else NONE))
        await self._repository.choose_route(guild_id, name)
        await self.open()
