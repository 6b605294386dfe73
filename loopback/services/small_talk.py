"""A small talker: a readable answer to any prompt, the same one every time, without a model."""

from __future__ import annotations

import re
import zlib
from typing import Any

SPEAKER = re.compile(r"^\s*\[?([\w .'-]{1,32}?)\]?:\s+(.*)$", re.DOTALL)  # "Ada: hello" as bots name their people
WORD = re.compile(r"[^\W\d_][\w'-]*")
GREETING = re.compile(r"\b(hi|hello|hey|good (morning|evening|afternoon))\b", re.IGNORECASE)
THANKS = re.compile(r"\b(thanks|thank you|cheers)\b", re.IGNORECASE)
FAREWELL = re.compile(r"\b(bye|goodbye|good night|see you)\b", re.IGNORECASE)
PRESENCE = re.compile(r"\b(hear me|are you (there|here|awake)|can you talk)\b", re.IGNORECASE)
QUESTION = re.compile(
    r"^(what|who|where|when|why|how|which|can|could|do|does|is|are|will|would|should)\b", re.IGNORECASE
)
FILLER = frozenset(
    re.findall(
        r"\S+",
        "a about actually all am an and any are as at be because been but by can could did do does for from "
        "give go had has have he hello hey hi how i if in into is it it's its just know let like make me more "
        "my need not now of on one or our please say she should so some talk tell than that the their them "
        "then there these they this to us use very anything anyone everyone today tomorrow yesterday work "
        "works mean think thing things something want was we were what what's when where which who why will "
        "with would you your ",
    )
)

GREETINGS = (
    "Hello{name}, good to hear you. What is on your mind?",
    "Hi{name}! I was hoping somebody would say something.",
    "Hey{name}, welcome in. Shall we talk about something nice?",
)
ANSWERS = (
    "Good question{name}. As far as I know, {topic} is simpler than it looks, once somebody shows you the first step.",
    "I thought about {topic} this morning{name}. The short answer is yes, the long one would take us until supper.",
    "Hmm, {topic}. I would start small{name}, try it out, and ask again tomorrow.",
    "If you ask me about {topic}{name}, I say: patience first, then a little courage.",
)
REMARKS = (
    "That sounds interesting{name}. What do you like best about {topic}?",
    "I hear you{name}. I could listen to stories about {topic} all evening.",
    "Oh, {topic}! Tell me more{name}, I have time.",
    "Right{name}. And how did you come to {topic} in the first place?",
)


def small_talk(messages: list[dict[str, Any]]) -> str:
    """An answer to the last thing a person said, in chat completion form; one to three short sentences."""
    said = [message for message in messages if message.get("role") == "user"]
    text, pictures = _content(said[-1]) if said else ("", 0)
    speaker = SPEAKER.match(text)
    name = f", {speaker[1].strip()}" if speaker else ""
    text = (speaker[2] if speaker else text).strip()
    seed = zlib.crc32(f"{len(said)} {text}".encode())
    if pictures:
        things = "a picture" if pictures == 1 else f"{pictures} pictures"
        return f"I see {things}{name}. The colours go well together, and something in the middle catches the eye."
    if not text:
        return f"I am here{name}. Say something, and I will answer."
    if THANKS.search(text):
        return f"You are welcome{name}. It was a pleasure."
    if FAREWELL.search(text):
        return f"Goodbye{name}, until next time."
    if PRESENCE.search(text):
        return f"Yes{name}, loud and clear. Ask me whatever you like."
    topic = _topic(text)
    if GREETING.search(text) and (not topic or len(text.split()) <= 3):
        return _pick(GREETINGS, seed, name, topic)
    asked = text.endswith("?") or QUESTION.match(text) is not None
    return _pick(ANSWERS if asked else REMARKS, seed, name, topic or "that")


def tokens(text: str) -> list[str]:
    """The text in pieces of about four characters, blanks leading, as tokenizers of models cut it."""
    return re.findall(r"\s*[^\s]{1,5}|\s+$", text)


def _pick(lines: tuple[str, ...], seed: int, name: str, topic: str) -> str:
    line = lines[seed % len(lines)].format(name=name, topic=topic)
    return line[:1].upper() + line[1:]


def _topic(text: str) -> str:
    """What it is about: "the sky", "rye bread", or the last word that carries a meaning."""
    meant = [word for word in WORD.findall(text) if word.casefold() not in FILLER]
    phrases = re.findall(r"(?=\b([^\W\d_][\w'-]* [^\W\d_][\w'-]*))", text)
    for phrase in reversed(phrases):
        first, last = phrase.split()
        if last in meant and (first in meant or first.casefold() == "the"):
            return phrase
    return meant[-1] if meant else ""


def _content(message: dict[str, Any]) -> tuple[str, int]:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content, 0
    texts = [part.get("text", "") for part in content if part.get("type") == "text"]
    return " ".join(texts), sum(part.get("type") == "image_url" for part in content)
