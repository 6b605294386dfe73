"""What is a spoken command, and what only has such words in it; pairs are what the small Whisper really wrote."""

from __future__ import annotations

import pytest

from core.hearing.commands import CommandGrammar

NAMES = ["Parley"]


def found(text: str, hinted: str = "") -> str | None:
    return CommandGrammar().find(text, hinted or text, NAMES)


@pytest.mark.parametrize(
    ("text", "hinted", "command"),
    [
        ("Partly leave.", "Parley, leave.", "leave"),
        ("Finally, please leave the channel.", "Parley, please leave the channel.", "leave"),
        ("Hey Parley, stop talking!", "Hey Parley, stop talking!", "stop"),
        ("Partly scoop.", "Parley, skip.", "skip"),
        ("Partly quieter", "Parley, Parley, Parley.", "quieter"),
        ("Powerily turn it up.", "Parley, turn it up.", "louder"),
        ("Parley Louder", "Parley, Louder.", "louder"),
        ("Harley, record.", "Parley, record.", "record"),
        ("Finally, stop the recording.", "Parley, stop the recording.", "stop_recording"),
        ("Finally, disappear.", "Parley, he is here.", "who"),
        ("Partly who is there?", "Parley, who is here?", "who"),
        ("Finally, what am I missed?", "Parley, what am I missed?", "missed"),
        ("Finally, what can I miss?", "Parley, what can I miss?", "missed"),
        ("", "Parley, who is here?", "who"),  # unsure without the hint
        ("Parley, can you stop please?", "", "stop"),
        ("Okay Parley, stop now.", "", "stop"),
    ],
)
def test_the_name_and_a_phrase_are_a_command_however_the_recogniser_spelled_them(text, hinted, command):
    assert found(text, hinted) == command


@pytest.mark.parametrize(
    ("text", "hinted"),
    [
        ("Harley, when does the train leave?", "Parley, when does the train leave?"),
        ("Finally, how do I stop the bleeding?", "Parley, how do I stop the bleeding?"),
        ("Harley, who holds the record for the long jump?", "Parley, who holds the record for the long jump."),
        ("Partly, why do people skip lunch?", "Parley, why do people skip lunch?"),
        ("Finally did the rain stop.", "Parley did the rain stop."),
        ("Harley, who is the president of France?", "Parley, who is the president of France?"),
        ("Finally, what did I say yesterday?", "Parley, what did I say yesterday?"),
        ("Finally, I want to leave my job. What should I do?", "Parley, I want to leave my job. What should I do?"),
        ("Finally, who is here to stay, cats or dogs?", "Parley, who is here to stay, cats or dogs."),
        ("I told Harley to stop.", "I told Parley to stop."),
        (
            "Harley stopped to the recording because nobody was there.",
            "Parley stopped the recording because nobody was.",
        ),
        ("Finally, stop me if you've heard this one.", "Parley, stop me if you've heard this one."),
        ("Finally, leave out the details and tell me more.", "Parley, leave out the details and tell me more."),
        ("Finally, what did I miss about the second World War?", "Parley, what did I miss about the second World War?"),
        ("Partly, is it louder on the moon?", "Parley, is it louder on the moon?"),
        ("partly because we have to leave", "Parley, because we have to leave."),
        ("Finally, we'll make some good record.", "Parley, what makes a good record?"),
        ("Parley skip forward to the year 2000 in your story", "Parley, skip forward to the year 2000 in your story."),
        ("Partly who is he?", "Parley, who is he?"),
        ("Partly louder", "Parley Louder."),
        ("Party louder than Amber", "Parley Louder than Amber."),
        ("Finally, stop.", "Finally, stop."),
        ("Charlie, leave.", "Charlie, leave."),
        ("Harvey, stop recording.", "Harvey, stop recording."),
        ("Please leave the door open.", "Please leave the door open."),
        ("Stop, Parley.", "Stop, Parley."),
        ("Leave.", "Leave."),
        ("Parley.", "Parley."),
        ("", ""),
        ("", "Parley."),
    ],
)
def test_a_sentence_that_only_has_such_words_is_no_command(text, hinted):
    assert found(text, hinted) is None


def test_other_languages_come_from_a_table_and_other_names_count():
    grammar = CommandGrammar({"leave": ["geh bitte weg", "verlass den Kanal"], "quieter": ["静かに"]})
    assert grammar.find("Computer, geh bitte weg.", "", ["Computer"]) == "leave"
    assert grammar.find("Computer, verlass den Kanal!", "", ["Parley", "Computer"]) == "leave"
    assert grammar.find("Parley、静かに", "", ["Parley"]) == "quieter"
    assert grammar.find("Parley, verlass den Kanal nicht.", "", ["Parley"]) is None
    assert grammar.find("Parley, stop.", "", ["Computer"]) is None
