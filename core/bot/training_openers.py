"""Opens what hangs on `runtime.training`."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from core.errors import StoreError
from core.events import TurnEnded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import discord

    from core.bot.openers import Ground
    from core.bot.rooms import Rooms
    from core.clock import Clock
    from core.training.jobs import TrainingJobs
    from core.training.judging import Judging
    from core.training.training import Training

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 3600.0  # for answers that are too old
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|AUTHORIZATION|CREDENTIAL", re.IGNORECASE)


async def open_training(rooms: Rooms, ground: Ground, client: discord.Client) -> Training:
    """The trainer; `rooms` has everything that stands below it by then."""
    from core.bot.training_advice import TrainedAdvice
    from core.bot.training_asking import RouteAsker
    from core.bot.training_capture import AnswerCapture
    from core.bot.training_progress import ProgressMessages
    from core.bot.training_provider import OpenAIProvider
    from core.llm.tokens import estimate_tokens
    from core.store.training_answers import AnswersRepository
    from core.store.training_records import InstructionsRepository, TrainingJobsRepository
    from core.store.training_sets import SetsRepository
    from core.tasks import Tasks
    from core.training.handing_out import HandingOut
    from core.training.importing import Importing
    from core.training.instructions import Instructions
    from core.training.jobs import TrainingJobs
    from core.training.judging import Judging
    from core.training.people import TrainedPeople
    from core.training.sets import DataSets
    from core.training.training import Training
    from core.training.trials import Trials
    from core.training.tuned import TunedRoutes

    section, clock = ground.config.trainer, ground.clock
    answers, sets, jobs = (
        AnswersRepository(rooms.store),
        SetsRepository(rooms.store),
        TrainingJobsRepository(rooms.store),
    )
    data_sets = DataSets(section, sets, clock)
    judging = Judging(section, answers, sets, data_sets, rooms.privacy.consent, clock)
    instructions = Instructions(InstructionsRepository(rooms.store), clock)
    await instructions.open()
    people = TrainedPeople(answers, sets, instructions, jobs, judging, clock)
    rooms.privacy.register("training", people)
    rooms.privacy.respect("trained_on", people.decided)
    capture = AnswerCapture(rooms.conversation, judging, client, section.judge_with)
    rooms.hub.subscribe(TurnEnded, capture.turn_ended, owner=capture)
    strangers = rooms.workers.strangers
    handing_out = HandingOut(
        section, data_sets, judging, jobs, strangers, clock, lambda: secrets_of(ground.environ), estimate_tokens
    )
    importing = Importing(section, data_sets, strangers, clock)
    provider = OpenAIProvider(rooms.models)
    routes = TunedRoutes(jobs, provider)
    await routes.open()
    running = TrainingJobs(section, handing_out, jobs, provider, routes, ProgressMessages(client), clock)
    people.recall = running.recall
    ground.closing.close_later("training jobs", running.close)
    await running.open()
    rooms.conversation.advise_with(TrainedAdvice(instructions, routes))
    tasks = Tasks("training")
    ground.closing.close_later("training", tasks.cancel_all)
    tasks.start(_keep_clean(judging, running, clock), "keep clean")
    trials = Trials(section, handing_out, RouteAsker(rooms.models, rooms.lockdown, clock))
    return Training(section, judging, data_sets, instructions, people, handing_out, importing, running, routes, trials)


async def _keep_clean(judging: Judging, jobs: TrainingJobs, clock: Clock) -> None:
    """Forget what is too old, and delete what providers still have, until cancelled."""
    while True:
        await judging.forget_old()
        try:
            await jobs.delete_left()
        except StoreError:  # the next look is soon
            _log.exception("what providers still have cannot be looked up")
        await clock.sleep(LOOK_EVERY_S)


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables that by their names are secret: they must be in nothing that leaves."""
    return tuple(value for name, value in environ.items() if _SECRET.search(name) and value)
