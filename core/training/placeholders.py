"""Takes people, ids and secrets out of what leaves the house: the same person is the same placeholder within one example."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from core.store.training_values import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.store.training_values import Example

SHORTEST_NAME, SHORTEST_SPOKEN_OF = 2, 3
SHORTEST_FIRST_NAME = 3
SHORTEST_SECRET = 8
SECRET, EMAIL, PHONE, IP, ID = "[SECRET]", "[EMAIL]", "[PHONE]", "[IP]", "[ID]"
USER, CHANNEL, ROLE = "[USER]", "[CHANNEL]", "[ROLE]"

_KEY_BLOCK = r"-----BEGIN [A-Z ]{1,40}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s:,]|-(?!----)){0,20000}(?:-----END [A-Z ]{1,40}KEY-----)?"
_KEYS = (
    r"(?<![\w-])(?:sk|pk|rk)[-_][\w-]{16,400}",  # OpenAI, Anthropic, Stripe
    r"(?<!\w)gh[pousr]_\w{20,255}|(?<!\w)github_pat_\w{20,255}|(?<!\w)glpat-[\w-]{16,255}",
    r"(?<!\w)xox[abeoprs]-[\w-]{10,255}|(?<!\w)hf_[A-Za-z0-9]{20,255}|(?<!\w)npm_[A-Za-z0-9]{30,255}",
    r"(?<!\w)(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)|(?<!\w)AIza[\w-]{30,255}|(?<!\w)ya29\.[\w-]{20,400}",
    r"(?<!\w)eyJ[\w-]{8,4000}\.[\w-]{8,8000}(?:\.[\w-]{0,4000})?",  # JSON web tokens
    r"(?<![\w.-])[MNO][\w-]{22,28}\.[\w-]{5,7}\.[\w-]{25,50}",  # Discord's tokens
    r"https?://(?:\w{1,20}\.)?discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d{1,20}/[\w-]{20,200}",
)
_LOGIN = r"(?<=://)[^\s/?#\"'<>@]{1,400}@"
_NAMED = (
    r"(?i:(?<![A-Za-z])(?:password|passwd|passphrase|pwd|passwort|secret|api[ _-]?key|access[ _-]?token|token)"
    r"\s{0,3}(?:is\s|=|:)\s{0,3}|(?<![A-Za-z])bearer\s{1,3})(?P<value>[\"']?[^\s\"',;]{6,400})"
)
_EMAIL = r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?!\w)"
_MENTION = r"<(?P<sigil>@!?|@&|#)(?P<target>\d{1,20})>"
_EMOJI = r"<a?:(?P<emoji>\w{2,32}):\d{15,20}>"
_NUMBER = r"(?<![\w.])\d{17,20}(?![\w.]\d)(?!\w)"
_PHONE = (
    r"(?<![\w+])\+\d{1,3}(?:[ ./()-]{0,2}\d){6,13}(?!\w)|(?<![\w.+-])\(?0\d{2,4}\)?[ /-]{1,2}\d(?:[ -]?\d){5,9}(?!\w)"
)
_IP = r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]\d|\w)"
_PATTERN = re.compile(
    "|".join(
        (
            rf"(?P<block>{_KEY_BLOCK})",
            f"(?P<key>{'|'.join(_KEYS)})",
            f"(?P<login>{_LOGIN})",
            f"(?P<named>{_NAMED})",
            f"(?P<email>{_EMAIL})",
            f"(?P<mention>{_MENTION})",
            f"(?P<emote>{_EMOJI})",
            f"(?P<number>{_NUMBER})",
            f"(?P<phone>{_PHONE})",
            f"(?P<ip>{_IP})",
        )
    )
)
# What every one of those has in it somewhere: most of what people say has none of that, and is not looked through.
_HINT = re.compile(r"[@<\d]|://|-----|[\w-]{16}|(?i:pass|pwd|secret|key|token|bearer)")
_WORD = re.compile(r"\w+")
_SIGNS = {"@": USER, "@!": USER, "@&": ROLE, "#": CHANNEL}


@dataclass(frozen=True, slots=True)
class Cleaned:
    """An example as it may leave, and how much in it was replaced."""

    example: Example
    secrets: int = 0
    people: int = 0


@dataclass(slots=True)
class _Found:
    """Who was met in an example so far."""

    numbers: dict[str, int] = field(default_factory=dict[str, int])
    secrets: int = 0
    people: int = 0

    def person(self, who: str) -> str:
        self.people += 1
        return f"PERSON_{self.numbers.setdefault(who, len(self.numbers) + 1)}"

    def secret(self, placeholder: str) -> str:
        self.secrets += 1
        return placeholder


class Placeholders:
    """Replaces what must not leave, over the examples of one data set.

    Args:
        people: Everybody who is known: their ids, each with the names they go by. Names count as whole words in whatever
            case; so does the first word of one of several.
        secrets: Values that are secret for sure, such as keys of this process.
        others: People who only may be spoken of: their names count as they are written, since many names are words too.
    """

    def __init__(
        self,
        people: Mapping[int, Iterable[str]],
        secrets: Iterable[str] = (),
        others: Mapping[int, Iterable[str]] | None = None,
    ) -> None:
        self._ids = {str(user_id): f"{user_id}" for user_id in people}
        self._names: dict[str, str] = {}
        for user_id, names in people.items():
            for name in names:
                for form in _forms(name):
                    self._names.setdefault(form.casefold(), f"{user_id}")
        self._secrets = sorted((each for each in set(secrets) if len(each) >= SHORTEST_SECRET), key=len, reverse=True)
        forms = sorted(self._names, key=len, reverse=True)
        words = "|".join(re.escape(form) for form in forms)
        self._people = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) if forms else None
        self._others = {
            name: f"{user_id}" for user_id, names in (others or {}).items() for name in names if name.strip()
        }
        self._ids |= {str(user_id): f"{user_id}" for user_id in others or {}}
        written = "|".join(
            re.escape(name) for name in sorted(self._others, key=len, reverse=True) if len(name) >= SHORTEST_SPOKEN_OF
        )
        self._first_words = {found[0] for name in self._others if (found := _WORD.search(name)) is not None}
        self._spoken_of = re.compile(rf"(?<!\w)(?:{written})(?!\w)") if written else None

    def clean(self, example: Example) -> Cleaned:
        """An example without people, ids and secrets; who said a line stands before it, as the model reads it."""
        found = _Found()
        messages = tuple(self._line(line, found) for line in example.messages)
        chosen = None if example.chosen is None else self._text(example.chosen, found)
        rejected = None if example.rejected is None else self._text(example.rejected, found)
        note = self._text(example.note, found)
        changed = replace(example, messages=messages, chosen=chosen, rejected=rejected, note=note, people={})
        return Cleaned(changed, found.secrets, found.people)

    def _line(self, line: Line, found: _Found) -> Line:
        text = self._text(line.content, found)
        if not line.name:
            return Line(line.role, text)
        who = self._names.get(line.name.strip().casefold(), line.name)
        return Line(line.role, f"{found.person(who)}: {text}")

    def _text(self, text: str, found: _Found) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, found.secret(SECRET))
        if _HINT.search(text) is not None:
            text = _PATTERN.sub(lambda match: self._replaced(match, found), text)
        if self._people is not None:
            text = self._people.sub(lambda match: found.person(self._names.get(match[0].casefold(), match[0])), text)
        if self._spoken_of is not None and not self._first_words.isdisjoint(_WORD.findall(text)):
            text = self._spoken_of.sub(lambda match: found.person(self._others[match[0]]), text)
        return text

    def _replaced(self, match: re.Match[str], found: _Found) -> str:
        kind = match.lastgroup or ""
        if match["mention"] is not None:
            known = self._ids.get(match["target"])
            return found.person(known) if known and match["sigil"].startswith("@") else _SIGNS[match["sigil"]]
        if match["emote"] is not None:
            return f":{match['emoji']}:"
        if match["number"] is not None:
            known = self._ids.get(match["number"])
            return found.person(known) if known else ID
        if match["named"] is not None:
            return match[0][: match.start("value") - match.start()] + found.secret(SECRET)
        if match["login"] is not None:
            return f"{found.secret(SECRET)}@"
        return found.secret({"email": EMAIL, "phone": PHONE, "ip": IP}.get(kind, SECRET))


def _forms(name: str) -> list[str]:
    """The forms in which a name stands in texts."""
    name = " ".join(name.split())
    first = name.split()[0] if " " in name else ""
    forms = [name] if len(name) >= SHORTEST_NAME else []
    return forms + ([first] if len(first) >= SHORTEST_FIRST_NAME and first[:1].isalpha() else [])
