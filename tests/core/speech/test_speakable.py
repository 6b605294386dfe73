"""What is written becomes what may be said, wherever it is split."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from core.names import sayable
from core.speech.speakable import Names, Speakable, is_sayable

NAMES = Names(user=lambda user_id: f"Ann{user_id}", role=lambda _: "Mods", channel=lambda _: "general")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def said(text: str, step: int = 1000) -> str:
    speakable = Speakable(NAMES, now=lambda: NOON)
    parts = [speakable.push(text[start : start + step]) for start in range(0, len(text), step)]
    return "".join([*parts, speakable.finish()]).strip()


CASES = [
    # Discord's own marks
    ("Hello <@12> and <@!13>, <@&4> in <#5>!", "Hello Ann12 and Ann13, Mods in general!"),
    ("<:kek_w:123> nice <a:dance:9>", "kek w nice dance"),
    ("Use </voice join:123> now <id:customize>", "Use voice join now"),
    ("@everyone @here look, @bob", "everyone here look, bob"),
    ("mail me at a@b.org", "mail me at a@b.org"),
    ("||the butler did it|| sorry", "a spoiler sorry"),
    ("a || b", "a || b"),
    (f"<t:{int(NOON.timestamp())}:R>", "now"),
    (f"<t:{int(NOON.timestamp()) + 7200}:R>", "in 2 hours"),
    (f"<t:{int(NOON.timestamp()) - 90}:R>", "2 minutes ago"),
    (f"<t:{int(NOON.timestamp())}:t>", "12:00 UTC"),
    (f"<t:{int(NOON.timestamp())}>", "1 January 2026 at 12:00 UTC"),
    (f"<t:{int(NOON.timestamp())}:D>", "1 January 2026"),
    ("<t:9999999999999:F>", "some time"),
    # links and code
    ("see https://a.b/c?d=e. And www.x.y, ok (http://z.z)", "see a link. And a link, ok (a link)"),
    ("<https://quiet.example> https://only.link", "a link a link"),
    ("[the docs](https://x.y/a_(b)) and ![a cat](http://z)", "the docs and a cat"),
    ("[not] a [link](two words) a[1]", "[not] a [link](two words) a[1]"),
    ("Run `pip install x` first", "Run pip install x first"),
    ("So:\n```py\nprint(1)\n```\ndone", "So:\na code block.\ndone"),
    ("```never closed", "a code block"),
    ("Https://a.b/c WWW.X.y discord.gg/abc. steam://run/1!", "a link a link a link. a link!"),
    ("foo://bar and example.com/path?x=1, and/or 1/2", "foo link and example.com, and/or 1/2"),
    ("cats [[1]](https://a.b/c) sleep", "cats 1 sleep"),
    # spoilers
    (f"||{'secret ' * 100}|| ok", "a spoiler ok"),
    ("so ||it was never closed", "so a spoiler"),
    ("**||x||** > ||y", "a spoiler > a spoiler"),
    ("> quoted ||x\n> y|| z", "quoted a spoiler z"),
    ("|| x || y || z", "a spoiler y || z"),
    ("||||x||||", "a spoiler"),
    ("| a | ||secret||\nb", "a, a spoiler.\nb"),
    ("[look ||secret|| here](http://x)", "look a spoiler here"),
    ("||```\nsecret\n``` secret|| b", "a spoiler b"),
    ("x||y||z, a||b|| c", "x a spoiler z, a a spoiler c"),
    ("`a || b` and `c || d`", "a || b and c || d"),
    # sums, formulas, HTML
    (
        "2**10, 2 ** 10, `2**10`, x^2",
        "2 to the power of 10, 2 to the power of 10, 2 to the power of 10, x to the power of 2",
    ),
    (r"$x^2 + \frac{1}{2}$ costs $3.50, $5k or $20", "x squared plus 1 over 2 costs $3.50, $5k or $20"),
    (r"\(a^{n+1}\) is \alpha, not C:\Users\new", r"a to the power of n plus 1 is alpha, not C:\Users\new"),
    ("$$\n\\sqrt{x} = 3\n$$", "the square root of x equals 3"),
    ("one<br>two<br/>three <b>bold</b> < &lt;b&gt;", "one.\ntwo.\nthree bold < <b>"),
    ("x**2+y**2, ab**2**", "x to the power of 2+y to the power of 2, ab2"),
    ("a<!-- not for you --> b <!x", "a b <!x"),
    ("&copy; it&#8217;s &#x27;x&#x27; &nosuch; AT&T", "© it’s 'x' &nosuch; AT&T"),
    # other fences
    ("````md\n```\ninner\n```\n````\nafter", "a code block.\nafter"),
    ("~~~py\nx = 1\n~~~\nafter", "a code block.\nafter"),
    ("~~~gone~~~ here", "gone here"),
    # markdown
    ("**bold** *it* _it_ __under__ ***both*** ~~gone~~", "bold it it under both gone"),
    ("# Title\ntext\n-# small\n> quoted", "Title.\ntext.\nsmall.\nquoted"),
    ("- one\n- two\n  * three\n1. four", "one.\ntwo.\nthree.\n1. four"),
    ("- [x] done\n- [ ] open", "done.\nopen"),
    ("| a | b |\n|---|:-:|\n| 1 | **2** |\nafter", "a, b.\n1, 2.\nafter"),
    ("above\n---\nbelow\n***\nend", "above.\nbelow.\nend"),
    ("Really?\nYes!\nsure", "Really?\nYes!\nsure"),
    (r"\*not bold\* 5 * 3 and 2*3, snake_case", "not bold 5 * 3 and 2*3, snake case"),
    ("C# and #tag, a < b > c <3", "C# and #tag, a < b > c <3"),
    # characters
    ("😀😀 👍🏽 👨‍👩‍👧 1️⃣ 🇩🇪 ❤️", ""),
    ("💀 dead 💀", "dead"),
    ("looooooool!!!!!!!!", "loool!!!"),
    ("1000000 is 1,000,000", "1000000 is 1,000,000"),
    ("ẑ̴̢̛̛̛̀̀̀algo", "ẑ̴̢̛algo"),
    ("שלום \u202eעולם\u202c \u200bx", "שלום עולם x"),
    ("می\u200cخواهم", "می\u200cخواهم"),
    ("𝓱𝓮𝓵𝓵𝓸 ｗｏｒｌｄ", "hello world"),
    ("bell\a null\0 ok", "bell null ok"),
    ("   \n\n  ", ""),
    ("", ""),
    ("*", ""),
    ("Hi! [", "Hi! ["),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_text_is_made_speakable(text: str, expected: str, step: int) -> None:
    assert said(text, step) == expected


def test_the_split_never_matters() -> None:
    random_ = random.Random(3)
    parts = [*"*_`|\n~\\@h1()[]! aé", "<@1", "<@1>", "```", "||", "[a](http://b)", "http://x.y", "www.", "- ", "# ", "> ",
             "😀", "<:e:1>", "<t:1:R>", "ש", "word", ". ", "$", "&", "^", ":", "/", "<", "steam://", "discord.gg/a", "a.com/b",
             "$x^2$", "\\frac{1}{2}", "\\(", "\\)", "<br>", "&amp;", "2**10", "- [ ] ", "|a|b|", "1️⃣", "\r\n", "\ud83d", "\ude00",
             "https:", "<https://a>", "`a`", "````\n", "~~~\n", "<!--", "-->"]  # fmt: skip
    for _ in range(2000):
        text = "".join(random_.choices(parts, k=random_.randrange(1, 14)))
        assert len({said(text, step) for step in (1, 2, 3, 100)}) == 1, text


def test_plain_words_are_not_held_back() -> None:
    speakable = Speakable()
    assert speakable.push("Hello there, ") == "Hello there, "
    assert speakable.push("how") == "how"


def test_a_mark_is_held_back_until_it_is_complete() -> None:
    speakable = Speakable(NAMES)
    assert speakable.push("Hi <@1").strip() == "Hi"
    assert speakable.push("2> you") == "Ann12 you"


def test_a_code_block_is_named_as_soon_as_it_opens() -> None:
    speakable = Speakable()
    assert speakable.push("```py\nx = 1\n") == "a code block"
    assert speakable.push("y = 2\n" * 1000) == ""
    assert speakable.push("```\nDone") == ".\nDone"


def test_half_characters_are_put_together_and_lone_ones_left_out() -> None:
    assert said("\ud835\udcf1i \ud83d x", 1) == "hi x"


def test_a_spoiler_is_not_said_while_it_comes() -> None:
    speakable = Speakable()
    told = "".join(speakable.push(token) for token in ["He said |", "|sec", "ret ", "word|", "| ok "])
    assert told == "He said a spoiler ok "


def test_a_name_is_said_as_words_whatever_it_is() -> None:
    for name, words in [("🔥", "someone"), ("```", "someone"), ("||Bob|| <@3>", "Bob 3"), ("# Ann", "Ann")]:
        speakable = Speakable(Names(user=lambda _, name=name: name))
        assert speakable.push("Hi <@1>, you") == f"Hi {words}, you"


@pytest.mark.parametrize("filler", ["\u3164", "\u115f\u1160", "\uffa0", "\u2800", "\u200b\u2060"])
def test_letters_that_nobody_can_see_say_nothing(filler: str) -> None:
    assert not is_sayable(filler)
    assert said(f"Hello{filler} <@1>") == "Hello Ann1"
    assert sayable(filler) == "someone"
    assert sayable(f"{filler}Ada{filler}") == "Ada"
