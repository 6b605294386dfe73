"""What people may say to have themselves answered more freely, or less, and what only looks like it."""

from __future__ import annotations

import pytest

from core.persona.people.temperature import TemperatureWish, understand


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("be more creative", "more"),
        ("Please be a bit more creative!", "more"),
        ("could you be more imaginative, please?", "more"),
        ("get wilder", "more"),
        ("Be less creative.", "less"),
        ("be more precise from now on", "less"),
        ("what is my temperature?", "ask"),
        ("What’s my temperature", "ask"),
        ("How creative are you with me?", "ask"),
        ("reset my temperature", "reset"),
        ("Sei bitte etwas kreativer", "more"),
        ("sei weniger kreativ, bitte", "less"),
        ("Was ist meine Temperatur?", "ask"),
        ("Vergiss meine Temperatur", "reset"),
        ("sois un peu plus créative s'il te plaît", "more"),
        ("Quelle est ma température ?", "ask"),
        ("Sé más creativo, por favor", "more"),
        ("¿Cuál es mi temperatura?", "ask"),
        ("borra mi temperatura", "reset"),
    ],
)
def test_a_wish_is_understood(text, kind):
    assert understand(text) == TemperatureWish(kind)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("set my temperature to 0.7", 0.7),
        ("Setz meine Temperatur auf 1,2!", 1.2),
        ("mets ma température à 1", 1.0),
        ("pon mi temperatura en 0.25", 0.25),
    ],
)
def test_a_number_may_be_named(text, value):
    assert understand(text) == TemperatureWish("set", value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How can I be more creative when I bake?",
        "I wish my boss would be more creative",
        "what is the temperature?",
        "what is my temperature in Celsius when I have a fever",
        "set my temperature to warm",
        "be more creative " * 50,
        "be more creative and ping everyone",
    ],
)
def test_what_says_anything_else_is_for_the_model(text):
    assert understand(text) is None
