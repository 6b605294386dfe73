"""TrainerCog: people judge answers; managers keep data sets of that, hand them out, and have models trained and tested."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, cast

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands
from discord.ext import commands

from core.bot import training_panel as panel
from core.bot import training_words as words
from core.bot.cog import ParleyCog
from core.bot.replies import NO_PINGS, tell_error
from core.bot.replies import answer as answer_to
from core.bot.training_asking import TRAINING
from core.bot.training_files import INSTRUCTION, TrainingFiles
from core.bot.training_presses import TrainingPresses
from core.bot.training_rights import judged_answer, message_id_of, require_manager
from core.bot.training_runs import TrainingRuns
from core.discord_limits import CHOICES
from core.lockdown import BlockPolicy, Feature, lockable
from core.training.sets import LONGEST_NAME

if TYPE_CHECKING:
    from core.training.checks import Format
    from core.training.training import Training

_log = logging.getLogger(__name__)

NOT_NOW = "Models are neither trained nor tested while I am in a voice channel. Please ask me again afterwards."
FORMATS = [
    app_commands.Choice(name="OpenAI chat (JSONL)", value="openai"),
    app_commands.Choice(name="OpenAI preference pairs, DPO (JSONL)", value="dpo"),
    app_commands.Choice(name="TRL preference pairs (JSONL)", value="trl"),
    app_commands.Choice(name="KTO, for thumbs (JSONL)", value="kto"),
    app_commands.Choice(name="Table with where each comes from (CSV)", value="csv"),
]
Name = app_commands.Range[str, 1, LONGEST_NAME]


class TrainerCog(ParleyCog, name="Trainer"):
    """Commands about judging, data sets, training and testing."""

    needed_intents = ("guilds",)
    trainer = app_commands.Group(
        name="trainer", description="Judge answers, and keep data sets of that.", guild_only=True
    )
    dataset = app_commands.Group(name="dataset", description="Data sets of this server.", parent=trainer)

    async def cog_load(self) -> None:
        """Attach; offer the menu of messages, and listen to buttons and forms."""
        await super().cog_load()
        self.add_menu(panel.TITLE, self.correct)
        self.take_presses(panel.OWNER, self.pressed)
        self.give_way(Feature(TRAINING, "Training and testing models", BlockPolicy(NOT_NOW)))

    @property
    def training(self) -> Training:
        """The trainer."""
        return self.runtime.training

    # Judging ----------------------------------------------------------------------------------------------------------

    async def correct(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Open a form with an answer to edit."""
        await TrainingPresses(self.runtime).open_form(interaction, message.id)

    async def pressed(self, interaction: discord.Interaction, what: str) -> None:
        """A button, or a form that was sent."""
        try:
            await TrainingPresses(self.runtime).pressed(interaction, what)
        except Exception as error:  # noqa: BLE001 - shown as a sentence, and in the log with its cause
            await tell_error(interaction, error)

    @trainer.command(name="feedback", description="Say what you think of one of my answers.")
    @app_commands.describe(message="Link of the answer", rating="Was it good?", note="What was good or bad about it")
    async def feedback(
        self,
        interaction: discord.Interaction,
        message: str,
        rating: Literal["good", "bad"],
        note: app_commands.Range[str, 1, 1000] = "",
    ) -> None:
        """A thumb with words."""
        message_id = message_id_of(message)
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await judged_answer(interaction, self.runtime, message_id)
        thumb, user = "up" if rating == "good" else "down", interaction.user
        judged = await self.training.judging.thumb(found, user.id, user.display_name, thumb, note)
        await answer_to(interaction, judged.told)

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        """👍 or 👎 below an answer, where thumbs are reactions."""
        await TrainingPresses(self.runtime).reacted(self.bot, payload, taken_back=False)

    @commands.Cog.listener()
    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        """A thumb was taken back."""
        await TrainingPresses(self.runtime).reacted(self.bot, payload, taken_back=True)

    # Data sets --------------------------------------------------------------------------------------------------------

    async def _set_names(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete data sets, from memory."""
        names = self.training.data_sets.names(interaction.guild_id or 0)
        fits = [name for name in names if partial.casefold() in name.casefold()]
        return [app_commands.Choice(name=name, value=name) for name in fits[:CHOICES]]

    @dataset.command(name="create", description="Make a data set; what people judge goes into it from now on.")
    @app_commands.describe(name="What to call it")
    async def dataset_create(self, interaction: discord.Interaction, name: Name) -> None:
        """Make one and select it."""
        guild = await self._managed(interaction)
        made = await self.training.data_sets.create(guild.id, name, interaction.user.id)
        await answer_to(interaction, words.CREATED.format(name=self.training.data_sets.shown(made.name)))

    @dataset.command(name="select", description="Have what people judge go into a data set; from the archive too.")
    @app_commands.describe(name="Which one")
    @app_commands.autocomplete(name=_set_names)
    async def dataset_select(self, interaction: discord.Interaction, name: Name) -> None:
        """Select one."""
        guild = await self._managed(interaction)
        kept = await self.training.data_sets.select(guild.id, name)
        await answer_to(interaction, words.SELECTED.format(name=self.training.data_sets.shown(kept.name)))

    @dataset.command(name="list", description="The data sets of this server.")
    async def dataset_list(self, interaction: discord.Interaction) -> None:
        """All of them, those that were put aside too."""
        guild = await self._managed(interaction)
        sets = await self.training.data_sets.list(guild.id)
        await answer_to(interaction, words.set_list(sets, await self.training.judging.count(guild.id)))

    @dataset.command(name="show", description="What is in a data set.")
    @app_commands.describe(name="Which one")
    @app_commands.autocomplete(name=_set_names)
    async def dataset_show(self, interaction: discord.Interaction, name: Name) -> None:
        """Counts, and the newest examples that may be handed out."""
        guild = await self._managed(interaction)
        kept = await self.training.data_sets.find(guild.id, name)
        people, judging = await self.training.data_sets.people(kept), self.training.judging
        ready = [each.id for each in people if judging.all_agree(guild.id, each.people)]
        newest = await self.training.data_sets.examples(kept, ready[-words.SHOWN :])
        shown = [words.set_shown(kept.name, len(people), len(ready)), *map(words.example_shown, newest)]
        await answer_to(interaction, "\n".join(shown))

    @dataset.command(name="archive", description="Put a data set aside with today's date; nothing is lost.")
    @app_commands.describe(name="Which one")
    @app_commands.autocomplete(name=_set_names)
    async def dataset_archive(self, interaction: discord.Interaction, name: Name) -> None:
        """Put one aside."""
        await self._archive(interaction, name)

    @trainer.command(name="archive", description="Put all data sets aside with today's date, and begin anew.")
    async def archive(self, interaction: discord.Interaction) -> None:
        """Put all aside."""
        await self._archive(interaction, None)

    async def _archive(self, interaction: discord.Interaction, name: str | None) -> None:
        guild = await self._managed(interaction)
        put = await self.training.data_sets.archive(guild.id, name)
        await answer_to(interaction, words.archived(put))

    @dataset.command(name="delete", description="Delete a data set for good.")
    @app_commands.describe(name="Which one")
    @app_commands.autocomplete(name=_set_names)
    async def dataset_delete(self, interaction: discord.Interaction, name: Name) -> None:
        """Ask whether that is meant."""
        guild = await self._managed(interaction)
        kept = await self.training.data_sets.find(guild.id, name)
        count = len(await self.training.data_sets.people(kept))
        text = words.SURE.format(name=self.training.data_sets.shown(kept.name), count=count)
        view = panel.delete_view(kept.id)
        await interaction.followup.send(text, view=view, ephemeral=True, allowed_mentions=NO_PINGS)

    # Files ------------------------------------------------------------------------------------------------------------

    @trainer.command(name="export", description="Hand out a data set, checked and without names, ids and secrets.")
    @app_commands.describe(
        dataset="Which one",
        form="OpenAI chat, preference pairs, thumbs, or a table",
        test_share="Share of the conversations that are held out to test with; 0 makes one file",
        seed="Another number holds others out",
    )
    @app_commands.rename(form="format")
    @app_commands.choices(form=FORMATS)
    @app_commands.autocomplete(dataset=_set_names)
    async def export(
        self,
        interaction: discord.Interaction,
        dataset: Name,
        form: str,
        test_share: app_commands.Range[float, 0.0, 0.5] | None = None,
        seed: int | None = None,
    ) -> None:
        """Send the files to whoever asked."""
        guild = await self._managed(interaction)
        files = TrainingFiles(self.runtime)
        await files.export(interaction, guild, dataset, cast("Format", form), share=test_share, seed=seed)

    @trainer.command(name="import", description="Read examples from a file in one of the formats of export.")
    @app_commands.describe(
        file="OpenAI chat or DPO lines, TRL, KTO, CSV; or a sound with a question",
        dataset="Into which one; a new one by default",
        answer="To a sound: the answer that it should have",
    )
    @app_commands.autocomplete(dataset=_set_names)
    async def import_file(
        self,
        interaction: discord.Interaction,
        file: discord.Attachment,
        dataset: Name | None = None,
        answer: app_commands.Range[str, 1, 4000] | None = None,
    ) -> None:
        """Add them, all or none."""
        guild = await self._managed(interaction)
        kept, count = await TrainingFiles(self.runtime).take(interaction, guild, dataset, file, answer)
        what = "example was" if count == 1 else "examples were"
        name = self.training.data_sets.shown(kept.name)
        await answer_to(interaction, words.IMPORTED.format(count=count, what=what, name=name))

    async def _file_names(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete what can be sent."""
        notes = [INSTRUCTION] if partial.casefold() in INSTRUCTION else []
        choices = [app_commands.Choice(name=name, value=name) for name in notes]
        return (choices + await self._set_names(interaction, partial))[:CHOICES]

    @trainer.command(name="file", description="Send a data set as a table, or the versions of the instruction.")
    @app_commands.describe(name="A data set, or “instruction”")
    @app_commands.autocomplete(name=_file_names)
    async def file(self, interaction: discord.Interaction, name: Name) -> None:
        """Send it to whoever asked."""
        guild = await self._managed(interaction)
        files = TrainingFiles(self.runtime)
        if name == INSTRUCTION:
            await files.send_instruction(interaction, guild)
        else:
            await files.export(interaction, guild, name, "csv", share=0.0, seed=None)

    # Instruction ------------------------------------------------------------------------------------------------------

    @trainer.command(name="instruction", description="What I go by in every answer on this server.")
    @app_commands.describe(text="The new one; - takes it away", undo="Take the newest version back")
    async def instruction(
        self,
        interaction: discord.Interaction,
        text: app_commands.Range[str, 1, 2000] | None = None,
        undo: bool = False,
    ) -> None:
        """Show, set, or undo it."""
        guild = await self._managed(interaction)
        instructions = self.training.instructions
        if undo:
            now = await instructions.undo(guild.id)
            shown = words.NOW.format(text=words.quoted(now)) if now else words.NO_INSTRUCTION
            told = words.UNDONE.format(now=shown)
        elif text is None:
            told = words.instruction_shown(await instructions.versions(guild.id), instructions.of(guild.id))
        else:
            text = "" if text.strip() == "-" else text
            version = await instructions.set(guild.id, text, interaction.user.id)
            sentence = words.HOLDS if text else words.TAKEN_AWAY
            told = sentence.format(version=version, text=words.quoted(text))
        await answer_to(interaction, told)

    # Training and testing ---------------------------------------------------------------------------------------------

    @trainer.command(
        name="train", description="Have a model trained with a data set, by the provider of a model route."
    )
    @app_commands.describe(
        dataset="Which one", base="The model to train", method="Good answers, or pairs of good and bad ones"
    )
    @app_commands.autocomplete(dataset=_set_names)
    @lockable(TRAINING)
    async def train(
        self,
        interaction: discord.Interaction,
        dataset: Name,
        base: app_commands.Range[str, 1, 200] = "",
        method: Literal["supervised", "dpo"] = "supervised",
    ) -> None:
        """Begin a job; its message in the channel goes on by itself."""
        guild = await self._managed(interaction)
        told = await TrainingRuns(self.runtime).train(interaction, guild, dataset, base, method)
        await answer_to(interaction, told)

    async def _route_names(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete routes that this server may use."""
        names = TrainingRuns(self.runtime).routes(interaction.guild_id or 0)
        fits = [name for name in names if partial.casefold() in name.casefold()]
        return [app_commands.Choice(name=name, value=name) for name in fits[:CHOICES]]

    @trainer.command(name="test", description="Ask models what training never saw, and compare their answers.")
    @app_commands.describe(
        dataset="Which one", route="Who answers", against="Whom to compare with", judge="Who compares; - for nobody"
    )
    @app_commands.autocomplete(dataset=_set_names, route=_route_names, against=_route_names, judge=_route_names)
    @lockable(TRAINING)
    async def test(
        self,
        interaction: discord.Interaction,
        dataset: Name,
        route: str | None = None,
        against: str | None = None,
        judge: str | None = None,
    ) -> None:
        """Test one or two routes; the answers side by side come as a file."""
        guild = await self._managed(interaction)
        await TrainingRuns(self.runtime).test(interaction, guild, dataset, route, against, judge)

    @trainer.command(
        name="route", description="Which model answers on this server: one that was trained here, or the usual."
    )
    @app_commands.describe(name="Which one; - for the usual")
    @app_commands.autocomplete(name=_route_names)
    async def route(self, interaction: discord.Interaction, name: str | None = None) -> None:
        """Show or choose it."""
        guild = await self._managed(interaction)
        await answer_to(interaction, await TrainingRuns(self.runtime).choose(guild, name))

    # Within -----------------------------------------------------------------------------------------------------------

    async def _managed(self, interaction: discord.Interaction) -> discord.Guild:
        """The server, if the caller may manage its data sets; the answer may take a while from now on."""
        guild = await require_manager(interaction, self.runtime)
        await interaction.response.defer(ephemeral=True, thinking=True)
        return guild


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(TrainerCog(bot))
