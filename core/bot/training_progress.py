"""Shows how a fine-tuning job is: one message in its channel, edited as it goes on, with a button to cancel it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord

from core.bot.replies import NO_PINGS
from core.bot.training_panel import cancel_view
from core.names import code, shown
from core.training.sets import DataSets
from core.training.tuned import route_name

if TYPE_CHECKING:
    from core.store.training_records import TrainingJob

_log = logging.getLogger(__name__)

HEAD = "🎓 Training **{base}** with {name}"
STATES = {
    "uploading": "the data set is being sent",
    "validating_files": "the provider looks through the files",
    "queued": "in line at the provider",
    "running": "running",
    "succeeded": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}
SAID = "> {words}"
DONE = (
    "The model is the route `{route}`: `/trainer route name:{route}` has it answer here, `/trainer test` compares it."
)
DONE_ELSEWHERE = "The model is {model}: deploy it where it was trained, then name the deployment as a model route."
UNTOUCHED = "The data set is as it was."
LEFT = "Its files are still at the provider; I could not delete them there."


class ProgressMessages:
    """A `Teller` that writes into Discord's channels."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def tell(self, job: TrainingJob, *, offered: bool) -> int | None:
        """Edit the message of a job, or send one; without a right to, the log has it."""
        await self._client.wait_until_ready()  # the last process may have left this one
        channel = self._client.get_channel(job.channel_id)
        if not isinstance(channel, (discord.TextChannel, discord.VoiceChannel, discord.StageChannel, discord.Thread)):
            return job.message_id
        view = cancel_view(job.id) if job.ended_at is None else None
        try:
            if job.message_id is not None:
                message = channel.get_partial_message(job.message_id)
                await message.edit(content=text_of(job, offered=offered), view=view, allowed_mentions=NO_PINGS)
                return job.message_id
            text = text_of(job, offered=offered)
            if view is None:
                sent = await channel.send(text, allowed_mentions=NO_PINGS)
            else:
                sent = await channel.send(text, view=view, allowed_mentions=NO_PINGS)
        except discord.NotFound:  # somebody deleted it: they do not want to see it
            return job.message_id
        except discord.HTTPException as error:
            _log.warning("how training job %d is cannot be shown: %s", job.id, error)
            return job.message_id
        return sent.id


def text_of(job: TrainingJob, *, offered: bool) -> str:
    """How a job is; `told` has what the provider said already protected."""
    base, name = shown(job.base), DataSets.shown(job.set_name)
    lines = [f"{HEAD.format(base=base, name=name)}: {STATES.get(job.state, shown(job.state))}."]
    if job.told:
        lines.append(SAID.format(words=job.told))
    if job.state == "succeeded":
        lines.append(DONE.format(route=route_name(job)) if offered else DONE_ELSEWHERE.format(model=code(job.model)))
    elif job.ended_at is not None:
        lines.append(UNTOUCHED)
    if job.ended_at is not None and job.file_ids:
        lines.append(LEFT)
    return "\n".join(lines)
