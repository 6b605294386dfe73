"""How freely each person is answered: what they asked for, within limits, and how they may ask for it in plain words."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.errors import ParleyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.config.people import TemperatureSection
    from core.store.persona_channels import PersonaChannelsRepository

HELD = 4096  # people in memory
LONGEST = 120  # characters of a wish

BEYOND = "A temperature lies between {least:g} and {most:g}."
NOW = "Your temperature is {value:g}, between {least:g} (precise) and {most:g} (wild)."
UNSET = (
    "You have set no temperature: I answer you as I answer everybody. It may be {least:g} (precise) to {most:g} (wild)."
)
SET = "From now on I answer you with a temperature of {value:g}."
AT_LIMIT = "Your temperature is {value:g} already, and that is as far as it goes."
RESET = "I have forgotten your temperature, and answer you as I answer everybody."

Kind = Literal["ask", "set", "more", "less", "reset"]

_NUMBER = r"(\d{1,2}(?:[.,]\d{1,3})?)"
_BITS = r"(?: (?:a bit|a little(?: bit)?|much|even|somewhat|etwas|ein bisschen|ein wenig|viel|noch|un peu|bien|un poco|mucho))?"
_WISHES: tuple[tuple[Kind, str], ...] = (
    # English
    (
        "more",
        rf"(?:be|get|become|answer(?: me)?){_BITS} (?:more (?:creative(?:ly)?|imaginative|inventive|playful)|wilder)",
    ),
    (
        "less",
        rf"(?:be|get|become|answer(?: me)?){_BITS} (?:less (?:creative|wild|playful)|more (?:precise|factual|sober))",
    ),
    ("ask", r"(?:what(?:'s| is)|tell me|show me) my temperature|how creative are you(?: with me)?"),
    ("set", rf"(?:set|change|put) my temperature to {_NUMBER}"),
    ("reset", r"(?:reset|forget|clear|remove) my temperature"),
    # German
    ("more", rf"(?:sei|werde|antworte(?: mir)?){_BITS} (?:kreativer|einfallsreicher|fantasievoller|verspielter)"),
    ("less", rf"(?:sei|werde|antworte(?: mir)?){_BITS} (?:weniger kreativ|genauer|sachlicher|nüchterner)"),
    ("ask", r"(?:was|wie(?: hoch)?) ist meine temperatur|wie kreativ bist du"),
    ("set", rf"(?:setze?|stelle?) meine temperatur auf {_NUMBER}"),
    ("reset", r"(?:vergiss|lösche?|entferne) meine temperatur"),
    # French
    ("more", rf"(?:sois|deviens|réponds){_BITS} plus (?:créatif|créative|imaginatif|imaginative|inventif|inventive)"),
    (
        "less",
        rf"(?:sois|deviens|réponds){_BITS} (?:moins (?:créatif|créative)|plus (?:précis|précise|factuel|factuelle|sobre))",
    ),
    ("ask", r"(?:quelle est|dis-moi|c'est quoi) ma température"),
    ("set", rf"(?:mets|règle|change) ma température (?:à|sur) {_NUMBER}"),
    ("reset", r"(?:oublie|efface) ma température"),
    # Spanish
    ("more", rf"(?:sé|se|responde){_BITS} más (?:creativ[oa]|imaginativ[oa]|inventiv[oa])"),
    ("less", rf"(?:sé|se|responde){_BITS} (?:menos creativ[oa]|más (?:precis[oa]|objetiv[oa]|sobri[oa]))"),
    ("ask", r"(?:cuál es|dime) mi temperatura"),
    ("set", rf"(?:pon|ajusta|cambia) mi temperatura (?:a|en) {_NUMBER}"),
    ("reset", r"(?:olvida|borra) mi temperatura"),
)
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple((kind, re.compile(pattern)) for kind, pattern in _WISHES)
_POLITE = re.compile(r"\b(?:please|bitte|por favor|s'il te plaît|from now on|ab jetzt)\b")
_CALLS = re.compile(r"^(?:could you|can you|would you|kannst du|hey|now|ok(?:ay)?)\b")


@dataclass(frozen=True, slots=True)
class TemperatureWish:
    """What somebody wants of their temperature; `value` with “set” alone."""

    kind: Kind
    value: float = 0.0


def understand(text: str) -> TemperatureWish | None:
    """The wish, if a message is one and nothing else; in English, German, French or Spanish."""
    if len(text) > LONGEST:
        return None
    said = " ".join(text.casefold().replace("’", "'").split()).strip(" .!?¿¡,;:")
    said = _CALLS.sub("", " ".join(_POLITE.sub(" ", said).split()).strip(" .!?,")).strip(" ,")
    for kind, pattern in _PATTERNS:
        found = pattern.fullmatch(said)
        if found is not None:
            return TemperatureWish(kind, float(found[1].replace(",", ".")) if kind == "set" else 0.0)
    return None


class Temperatures:
    """What each person set; those of late are held in memory."""

    def __init__(
        self, section: TemperatureSection, repository: PersonaChannelsRepository, usual: Callable[[], float | None]
    ) -> None:
        """Takes the limits, where it is kept, and what the current model route has, if that says so."""
        self._section = section
        self._repository = repository
        self._usual = usual
        self._held: OrderedDict[int, float | None] = OrderedDict()
        self._holds_all = False

    async def open(self) -> None:
        """Hold what people set: a turn is not to wait for the database.

        Raises:
            StoreError: It cannot be read.
        """
        self._held.update(await self._repository.temperatures(HELD))
        self._holds_all = len(self._held) < HELD

    async def of(self, user_id: int) -> float | None:
        """What somebody set, within the limits of now; None if they set nothing.

        Raises:
            StoreError: It cannot be read.
        """
        if user_id not in self._held:
            if self._holds_all:
                return None
            self._held[user_id] = await self._repository.temperature(user_id)
            self._make_room()
        self._held.move_to_end(user_id)
        value = self._held[user_id]
        return None if value is None else self._within(value)

    async def set(self, user_id: int, value: float | None) -> str:
        """Set it, or (None) forget it; returns what to tell them.

        Raises:
            ParleyError: It is beyond the limits.
        """
        least, most = self._section.least, self._section.most
        if value is not None and not least <= value <= most:
            raise ParleyError(BEYOND.format(least=least, most=most))
        value = None if value is None else round(value, 2)
        await self._repository.save_temperature(user_id, value)
        self._held[user_id] = value
        self._make_room()
        return RESET if value is None else SET.format(value=value)

    async def told(self, user_id: int) -> str:
        """What somebody set, as a sentence."""
        value, limits = await self.of(user_id), {"least": self._section.least, "most": self._section.most}
        return UNSET.format(**limits) if value is None else NOW.format(value=value, **limits)

    async def grant(self, user_id: int, wish: TemperatureWish) -> str:
        """Do what somebody wished; returns what to tell them.

        Raises:
            ParleyError: It is beyond the limits.
        """
        if wish.kind == "ask":
            return await self.told(user_id)
        if wish.kind == "reset":
            return await self.set(user_id, None)
        if wish.kind == "set":
            return await self.set(user_id, wish.value)
        own = await self.of(user_id)
        before = own if own is not None else self._within(self._usual() or self._section.usual)
        after = round(self._within(before + (self._section.step if wish.kind == "more" else -self._section.step)), 2)
        if own is not None and after == own:
            return AT_LIMIT.format(value=own)
        return await self.set(user_id, after)

    def _make_room(self) -> None:
        if len(self._held) > HELD:
            self._held.popitem(last=False)
            self._holds_all = False

    def _within(self, value: float) -> float:
        return min(self._section.most, max(self._section.least, value))

    def forget(self, user_id: int) -> None:
        """Drop what is in memory of somebody."""
        self._held.pop(user_id, None)
