"""Fine-tuning jobs: begun with a data set, followed to their end through restarts, cancelled; what comes of one is a route."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import ParleyError, StoreError, TrainingError
from core.names import code, shown_text
from core.store.training_records import TrainingHandout, TrainingJob
from core.tasks import Tasks
from core.training.export import file_name
from core.training.provider import FORMAT_OF, OVER, JobWish, ProviderError
from core.training.sets import DataSets

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence

    from core.clock import Clock
    from core.config.trainer import TrainerSection
    from core.machine.lane import Owner
    from core.store.training_records import TrainingJobsRepository
    from core.store.training_values import TrainingSet
    from core.training.export import Made
    from core.training.handing_out import HandingOut
    from core.training.provider import Method, Provider
    from core.training.tuned import TunedRoutes

_log = logging.getLogger(__name__)

OFF = "Nothing is trained here: whoever runs me has to name a model route as `[trainer] fine_tune_route`."
NO_BASE = "Name the model to train as `base`."
ONE_AT_A_TIME = "A job is under way on this server already; wait for its end, or cancel it."
TOO_FEW = "{name} has {count} examples to train with; providers want {least} at least."
LOST = "I was restarted before the job had begun; nothing was trained. Please ask again."
OVER_ALREADY = "That job is over already."
NO_JOB = "There is no such job on this server."
BROKEN = "Something went wrong on my side, and it is in the log."
DELETED_FILES = "The files that {count} jobs had sent to a provider are deleted there."
CANCELLED = "{count} jobs that were training with your words are cancelled."
TRAINED = "A model was trained with your words before ({models}): it does not unlearn. Who runs me can delete it at the provider."
NOT_DELETED = "Files with your words are still at the provider of a job: {reason}"
LEAST = 10  # examples that OpenAI wants
LONGEST_PAUSE_S = 600.0
UPLOAD_S = 600.0
WORDS = 700  # of a provider's that are shown


class _UnwantedError(Exception):
    """A job was cancelled while its files were being sent."""


class Teller(Protocol):
    """Shows how a job is; called when that changed, at most once in `[trainer] poll_s`."""

    async def tell(self, job: TrainingJob, *, offered: bool) -> int | None:
        """Show it in the job's channel; returns the number of the message that shows it, or None if none does.

        `offered`: the model that came of it is a route now.
        """
        ...


def _method(job: TrainingJob) -> Method:
    return "dpo" if job.method == "dpo" else "supervised"


class TrainingJobs:
    """The jobs of all servers."""

    def __init__(
        self,
        section: TrainerSection,
        handing_out: HandingOut,
        repository: TrainingJobsRepository,
        provider: Provider,
        routes: TunedRoutes,
        teller: Teller,
        clock: Clock,
    ) -> None:
        """Nothing is asked before `open`.

        Args:
            section: `[trainer]`.
            handing_out: Makes the files.
            repository: Where jobs are kept.
            provider: Who trains.
            routes: Take what was trained.
            teller: Shows how jobs are.
            clock: Time.
        """
        self._section = section
        self._handing_out = handing_out
        self._repository = repository
        self._provider = provider
        self._routes = routes
        self._teller = teller
        self._clock = clock
        self._tasks = Tasks("training jobs")
        self._live: dict[int, TrainingJob] = {}
        self._work: dict[int, asyncio.Task[None]] = {}
        self._beginning: set[int] = set()  # servers whose files are being made
        self._unwanted: set[int] = set()  # jobs that are cancelled before the provider knows them

    async def open(self) -> None:
        """Offer what was trained before, and follow the jobs that the last process left.

        Raises:
            StoreError: The database cannot be read.
        """
        for job in await self._repository.all():
            if job.ended_at is None:
                self._live[job.id] = job
                self._carry(job, self._found_again(job))
            elif job.state == "succeeded":
                self._routes.offer(job)

    async def close(self) -> None:
        """Follow no more; the next process does."""
        await self._tasks.cancel_all()

    # Beginning --------------------------------------------------------------------------------------------------------

    async def begin(
        self,
        kept: TrainingSet,
        base: str,
        method: Method,
        owner: Owner,
        channel_id: int,
        names: Mapping[int, Iterable[str]],
    ) -> tuple[TrainingJob, str]:
        """Make the files of a data set and begin a job in the background; returns it, and what is sent.

        Args:
            kept: The data set.
            base: The model; that of the settings if empty.
            method: What the data set is trained as.
            owner: Who asks.
            channel_id: Where it is told how the job is.
            names: Names that are taken out of what is sent.

        Raises:
            TrainingError: Nothing may be sent, or there is too little; nothing was.
        """
        route, base = self._section.fine_tune_route, base.strip() or self._section.base_model
        if not route:
            raise TrainingError(OFF)
        if not base:
            raise TrainingError(NO_BASE)
        if kept.guild_id in self._beginning or any(job.guild_id == kept.guild_id for job in self._live.values()):
            raise TrainingError(ONE_AT_A_TIME)
        self._beginning.add(kept.guild_id)
        try:
            made, people, told = await self._handing_out.make(kept, FORMAT_OF[method], owner, names=names)
            job = await self._kept(
                kept,
                TrainingJob(
                    kept.guild_id, channel_id, kept.name, method, route, base, owner.user_id, self._clock.now()
                ),
                made,
                people,
            )
        finally:
            self._beginning.discard(kept.guild_id)
        self._carry(job, self._start(job, made))
        return job, told

    async def _kept(self, kept: TrainingSet, job: TrainingJob, made: Made, people: frozenset[int]) -> TrainingJob:
        """Keep a job, and whose words it sends, before anything is sent."""
        if made.train.lines < LEAST:
            shown = DataSets.shown(kept.name)
            raise TrainingError(TOO_FEW.format(name=shown, count=made.train.lines, least=LEAST))
        job = replace(job, id=await self._repository.add(job))
        self._live[job.id] = job
        form = FORMAT_OF[_method(job)]
        handout = TrainingHandout(kept.guild_id, kept.name, form, job.by_id, job.at, job.id)
        try:
            self._handing_out.require_people(kept.guild_id, people)
            await self._repository.handed_out(
                handout, people
            )  # before it leaves: who is in it is told, should they ask
        except ParleyError as error:
            await self._end(replace(job, state="failed", told=error.sentence))
            raise
        return job

    def _carry(self, job: TrainingJob, work: Coroutine[Any, Any, None]) -> None:
        self._work[job.id] = self._tasks.start(self._guarded(job, work), f"job {job.id}")

    async def _start(self, job: TrainingJob, made: Made) -> None:
        """Send the files and begin; then follow."""
        job = await self._show(job)
        method = _method(job)
        sent: list[str] = []
        for side, part in (("train", made.train), ("test", made.test)):
            if part.lines:
                self._require_wanted(job)
                name = file_name(job.set_name, side, FORMAT_OF[method])
                sent.append(await self._provider.upload(job.route, name, part.data))
                job = await self._save(replace(job, file_ids=tuple(sent)))
        self._require_wanted(job)
        test_file = sent[1] if len(sent) > 1 else None
        wish = JobWish(job.base, method, sent[0], test_file, f"parley-{job.id}", self._mark(job))
        provider_id = await self._provider.start(job.route, wish)
        job = await self._save(replace(job, provider_id=provider_id, state="queued"))
        if job.id in self._unwanted:
            await self._provider.cancel(job.route, provider_id)
        await self._follow(job)

    def _require_wanted(self, job: TrainingJob) -> None:
        if job.id in self._unwanted:
            raise _UnwantedError

    async def _found_again(self, job: TrainingJob) -> None:
        """Go on with a job that the last process left."""
        pause_s = self._section.poll_s
        while not job.provider_id:
            try:
                found = await self._provider.find(job.route, self._mark(job)) if job.file_ids else None
            except ProviderError as error:
                if error.gone:
                    raise
                await self._clock.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            if found is None:
                raise TrainingError(LOST)
            job = await self._save(replace(job, provider_id=found, state="queued"))
        await self._follow(job)

    async def _guarded(self, job: TrainingJob, work: Coroutine[Any, Any, None]) -> None:
        """Whatever ends a job in a way that it should not is told, and the data set is as it was."""
        try:
            await work
        except _UnwantedError:
            await self._end(replace(self._live.get(job.id, job), state="cancelled", told=""))
        except ParleyError as error:
            _log.warning("training job %d: %s", job.id, error.sentence, exc_info=error.__cause__)
            await self._end(replace(self._live.get(job.id, job), state="failed", told=error.sentence))
        except Exception:  # noqa: BLE001 - whoever began it must not wait for ever; the log has the cause
            _log.exception("training job %d", job.id)
            await self._end(replace(self._live.get(job.id, job), state="failed", told=BROKEN))

    def _mark(self, job: TrainingJob) -> str:
        return f"{job.guild_id}-{job.id}-{job.at:%Y%m%dT%H%M%S}"

    # Following --------------------------------------------------------------------------------------------------------

    async def _follow(self, job: TrainingJob) -> None:
        """Ask how a job is until it is over; a provider that is away for a while does not end it."""
        pause_s = self._section.poll_s
        job = await self._show(job)
        while True:
            await self._clock.sleep(pause_s)
            try:
                now = await self._provider.look(job.route, job.provider_id)
            except ProviderError as error:
                if error.gone:  # a key may come back, and the job goes on meanwhile
                    raise
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                job = await self._changed(job, replace(job, told=error.sentence))
                continue
            pause_s = self._section.poll_s
            told = " ".join(shown_text(now.error or now.told, WORDS).split())
            found = replace(job, state=now.state, told=told, model=now.model or job.model)
            if now.state in OVER:
                await self._end(found)
                return
            job = await self._changed(job, found)

    async def _changed(self, before: TrainingJob, job: TrainingJob) -> TrainingJob:
        return before if job == before else await self._show(await self._save(job))

    async def _show(self, job: TrainingJob) -> TrainingJob:
        message_id = await self._teller.tell(job, offered=False)
        return job if message_id == job.message_id else await self._save(replace(job, message_id=message_id))

    async def _save(self, job: TrainingJob) -> TrainingJob:
        self._live[job.id] = job
        await self._repository.save(job)
        return job

    async def _end(self, job: TrainingJob) -> None:
        """A job is over: its files go, its model is offered, and it is told."""
        left = await self._delete_files(job)
        job = replace(job, file_ids=left, ended_at=self._clock.now())
        self._live.pop(job.id, None)
        self._unwanted.discard(job.id)
        try:
            await self._repository.save(job)
        except StoreError:
            _log.exception("the end of training job %d is not kept", job.id)
        offered = job.state == "succeeded" and self._routes.offer(job)
        shown = await self._teller.tell(job, offered=offered)
        if shown != job.message_id:
            await self._repository.save(replace(job, message_id=shown))

    async def _delete_files(self, job: TrainingJob) -> tuple[str, ...]:
        """Delete what was sent for a job; returns what is still there."""
        left: list[str] = []
        for file_id in job.file_ids:
            try:
                await self._provider.delete_file(job.route, file_id)
            except ProviderError as error:
                _log.warning("file %s of training job %d is still there: %s", file_id, job.id, error.sentence)
                left.append(file_id)
        return tuple(left)

    async def delete_left(self) -> None:
        """Try again to delete what providers still have of jobs that are over."""
        for job in await self._repository.all():
            if job.ended_at is not None and job.file_ids:
                left = await self._delete_files(job)
                if left != job.file_ids:
                    await self._repository.save(replace(job, file_ids=left))

    # Ending -----------------------------------------------------------------------------------------------------------

    def find(self, guild_id: int, job_id: int) -> TrainingJob:
        """A job of a server that is under way.

        Raises:
            TrainingError: There is none, or it is over.
        """
        job = self._live.get(job_id)
        if job is None or job.guild_id != guild_id:
            raise TrainingError(OVER_ALREADY if job is None else NO_JOB)
        return job

    async def cancel(self, job: TrainingJob) -> None:
        """End a job at the provider, or before it got there; returns when it is over.

        Raises:
            ProviderError: The provider does not do it.
        """
        job = self._live.get(job.id, job)
        work = self._work.get(job.id)
        if not job.provider_id and work is not None:  # what is being sent is known, and deleted, once it has been
            self._unwanted.add(job.id)
            await asyncio.wait([work], timeout=UPLOAD_S)
            return
        await self._provider.cancel(job.route, job.provider_id)
        if job.id in self._live:
            self._tasks.cancel(f"job {job.id}")
            await self._end(replace(self._live[job.id], state="cancelled", told=""))

    async def recall(self, handouts: Sequence[TrainingHandout]) -> Sequence[str]:
        """Cancel jobs under way that these began, and delete what was sent for them; see `people.Recall`.

        Raises:
            TrainingError: Files are still at a provider.
        """
        ids = {each.job_id for each in handouts}
        told: list[str] = []
        live = [job for job in self._live.values() if job.id in ids]
        troubles: list[str] = []
        for job in live:
            try:
                await self.cancel(job)
            except ProviderError as error:
                troubles.append(error.sentence)
        told += [CANCELLED.format(count=len(live))] if live and not troubles else []
        deleted = 0
        for job in [each for each in await self._repository.all() if each.id in ids and each.file_ids]:
            left = await self._delete_files(job)
            await self._repository.save(replace(job, file_ids=left))
            deleted += not left
            troubles += ["its files could not be deleted."] if left else []
        told += [DELETED_FILES.format(count=deleted)] if deleted else []
        jobs = [each for each in await self._repository.all() if each.id in ids]
        models = [job.model for job in jobs if job.state == "succeeded" and job.model]
        told += [TRAINED.format(models=", ".join(code(model) for model in models))] if models else []
        if troubles:
            raise TrainingError(" ".join([NOT_DELETED.format(reason=troubles[0]), *told]))
        return told
