"""`runtime.training`: everything of the trainer, one attribute a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.config.trainer import TrainerSection
    from core.training.handing_out import HandingOut
    from core.training.importing import Importing
    from core.training.instructions import Instructions
    from core.training.jobs import TrainingJobs
    from core.training.judging import Judging
    from core.training.people import TrainedPeople
    from core.training.sets import DataSets
    from core.training.trials import Trials
    from core.training.tuned import TunedRoutes


@dataclass(frozen=True, slots=True)
class Training:
    """The parts of the trainer."""

    section: TrainerSection
    judging: Judging
    data_sets: DataSets
    instructions: Instructions
    people: TrainedPeople
    handing_out: HandingOut
    importing: Importing
    jobs: TrainingJobs
    routes: TunedRoutes
    trials: Trials
