"""Components of the new layout, as discord.py's LayoutView sends them, and modals with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

if TYPE_CHECKING:
    from tests.loopback.interactions.conftest import Scene


class Row(discord.ui.ActionRow):
    @discord.ui.button(label="Stop", custom_id="stop")
    async def stop(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.send_message("stopped", ephemeral=True)


class Layout(discord.ui.LayoutView):
    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.add_item(discord.ui.Container(discord.ui.TextDisplay("Now playing"), Row()))


class Form(discord.ui.Modal, title="Settings"):
    voice = discord.ui.Label(
        text="Voice",
        component=discord.ui.Select(options=[discord.SelectOption(label="Deep"), discord.SelectOption(label="High")]),
    )
    note = discord.ui.Label(text="Note", component=discord.ui.TextInput(required=False))
    who = discord.ui.Label(text="Who", component=discord.ui.UserSelect(required=False))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        told = [
            *self.voice.component.values,
            self.note.component.value,
            *(user.name for user in self.who.component.values),
        ]
        await interaction.response.send_message(" ".join(told))


async def test_a_button_inside_a_container_works(scene: Scene) -> None:
    asked = await scene.alice.slash(scene.standard.text, "late")
    await (await scene.received()).response.send_message(view=Layout())
    message = await asked.answered()
    pressed = await scene.bob.press(message, "Stop")
    assert (await pressed.answered()).content == "stopped"


async def test_selects_in_a_modal_are_filled_in(scene: Scene) -> None:
    asked = await scene.alice.slash(scene.standard.text, "late")
    await (await scene.received()).response.send_modal(Form())
    sent = await scene.alice.submit(asked, Voice="High", Note="loud", Who=scene.bob)
    assert (await sent.answered()).content == "High loud bob"
