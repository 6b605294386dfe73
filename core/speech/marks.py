"""Finds marks in written text: Discord's, markdown's, HTML's and links, in time that grows with its length.

Every pattern either cannot go back over what it passed (`*+`, `++`) or has a bound. What may be the beginning of a mark is
described beside it, for text that is still coming.
"""

from __future__ import annotations

import re

LONGEST_LABEL, LONGEST_ADDRESS = 300, 1000
LONGEST_TAG, LONGEST_LABELLED = 300, 9000  # nothing longer is still a tag, or a link with a label
LONGEST_LINE_OF_MARKS = 300  # more marks than this at the start of a line are decoration, whatever follows
SHORTEST_LINE_OF_MARKS = 3
LONGEST_ROW = 2000
LONGEST_CODE = 500
LONGEST_FORMULA = 300
LONGEST_TOP = 5  # a full stop and what may follow it in the name of a site
LOOK_BACK = 64  # characters before a place that may tell what it is

# Where something other than plain words may begin.
SPECIAL = re.compile(
    r"[`*_~|\\\n$^/]|<(?=[@#:/!a-zA-Z]|\Z)|\[(?!\[\[)|:(?=/|\Z)|[@](?=\w|\Z)|&(?=[a-zA-Z#]|\Z)|!(?=\[|\Z)|(?<![^\W_])[wW]{3}\."
)

# Links. A word that may become one of these is held back until it cannot.
SCHEMES = ["https", "http", "ftp", "steam", "discord", "spotify", "roblox", "slack", "vscode", "minecraft", "ts3server"]
HOSTS = ["discord.gg", "discord.com", "discordapp.com", "dsc.gg", "t.me", "x.com"]
_BEGINNINGS = {f"{word}"[:length] for word in [*SCHEMES, *HOSTS, "www"] for length in range(1, len(word) + 1)}
LINK_BEGUN = re.compile(
    rf"(?<![^\W_])(?:{'|'.join(sorted(map(re.escape, _BEGINNINGS), key=len, reverse=True))})\Z", re.IGNORECASE
)
KNOWN_SCHEME = re.compile(rf"(?<![^\W_])(?:{'|'.join(SCHEMES)})\Z", re.IGNORECASE)
KNOWN_HOST = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, HOSTS))})\Z", re.IGNORECASE)
_TOP = "com|org|net|edu|gov|io|gg|be|tv|me|ly|co|uk|de|fr|eu|app|dev|xyz|info|ai|gl|ch|at|nl|jp|br|cc|fm|sh|to"
DOMAIN = re.compile(rf"(?<![\w.-])(?:[a-z0-9-]{{1,30}}\.){{1,4}}(?:{_TOP})\Z", re.IGNORECASE)
LINK_END = re.compile(r"[\s<>`|]")
LINK_TAIL = ".,;:!?'\"*_~|`»”)]"  # belongs to the sentence, not to the link

LABELLED = re.compile(
    rf"!?\[((?:[^\[\]\n]|\[[^\[\]\n]{{0,20}}\]){{0,{LONGEST_LABEL}}}+)\]"
    rf"\([^()\s]{{0,{LONGEST_ADDRESS}}}+(?:\([^()\s]{{0,99}}+\)[^()\s]{{0,99}}+){{0,9}}+"
    r"(?: \"[^\"\n]{0,200}+\")?+\)"
)
LABELLED_BEGUN = re.compile(
    rf"!?(?:\[(?:[^\[\]\n]|\[[^\[\]\n]{{0,20}}\]){{0,{LONGEST_LABEL}}}+(?:\[[^\[\]\n]{{0,20}}|\](?:\([^()\s]{{0,{LONGEST_ADDRESS}}}+"
    rf"(?:\([^()\s]{{0,99}}+\)[^()\s]{{0,99}}+){{0,9}}+"
    rf"(?:\([^()\s]{{0,99}}+| (?:\"(?:[^\"\n]{{0,200}}+\"?)?)?)?)?)?)?\Z"
)

# Discord's own, in angle brackets, and the tags of HTML that models write.
MENTION = re.compile(
    r"<(?:@!?(?P<user>\d{1,20})|@&(?P<role>\d{1,20})|#(?P<channel>\d{1,20})|a?:(?P<emoji>\w{1,40}):\d{1,20}"
    r"|t:(?P<time>-?\d{1,13})(?::(?P<style>\w))?|/(?P<command>[^:<>\n/]{1,100}):\d{1,20}|id:(?P<guide>\w{1,40}))>"
)
MENTION_BEGUN = re.compile(
    r"<(?:@[!&]?\d{0,20}|#\d{0,20}|a?(?::\w{0,40}(?::\d{0,20})?)?|t(?::-?\d{0,13}(?::\w?)?)?|/[^:<>\n/]{0,100}(?::\d{0,20})?"
    r"|id?(?::\w{0,40})?)\Z"
)
QUIET_LINK = re.compile(r"<(?!id:)(?=[a-z]{2,10}:[^<>\s]{2})", re.IGNORECASE)  # shown without a preview
QUIET_LINK_BEGUN = re.compile(r"<[a-z]{0,10}(?::[^<>\s]{0,2})?\Z", re.IGNORECASE)
ANGLED = re.compile(r"</?[a-z][a-z0-9]{0,10}[\s/>:]", re.IGNORECASE)  # without it, neither a tag nor a link
_BREAKS = "br|p|li|ul|ol|div|tr|table|h[1-6]|hr|blockquote|pre|details|summary"
_PLAIN = "b|i|u|s|em|strong|sub|sup|small|mark|del|ins|span|a|code|kbd|font|center|img|td|th|tbody|thead"
TAG = re.compile(rf"</?(?:(?P<break>{_BREAKS})|{_PLAIN})(?:\s[^<>\n]{{0,200}}+)?\s?/?>", re.IGNORECASE)
TAG_BEGUN = re.compile(r"</?[a-z][a-z0-9]{0,9}(?:\s[^<>\n]{0,200}+)?\s?/?\Z|</\Z", re.IGNORECASE)
ENTITY = re.compile(r"&(?:[a-z][a-z0-9]{1,24}|#\d{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
ENTITY_BEGUN = re.compile(r"&(?:[a-z][a-z0-9]{0,24}|#(?:\d{0,7}|x[0-9a-f]{0,6}))?\Z", re.IGNORECASE)
COMMENT = re.compile(r"<!--(?:[^-\n]|-(?!->)){0,250}+-->")
COMMENT_BEGUN = re.compile(r"<!(?:-(?:-(?:[^-\n]|-(?!->)){0,250}+-{0,2})?)?\Z")

# Blocks of code with other fences than Discord's, as models write them.
LONG_FENCE = re.compile(r"(`{4,9}+)[\w+#.-]{0,30}\n")
TILDES = re.compile(r"~{3,9}+[\w+#.-]{0,30}\n")
BLOCK_BEGUN = re.compile(r"(?:`{4,9}+|~{3,9}+)[\w+#.-]{0,30}\Z")

# The start of a line.
_BULLET = "[-*+•‣◦]"
MARKS_OF_A_LINE = re.compile(r"[-*_=:|+ \t]*+")
LINE_OF_MARKS = re.compile(r"[ \t]*+(?:[-*_=:|+][ \t]*+){3,}+(?=\n|\Z)")
LEADING, BEHIND_LEADING = "-#>*+•‣◦ \t", "-#>*+•‣◦ \t"  # the first character of what leads a line, and the next
LINE_START = re.compile(rf"(?:[ \t]*+(?:-#|#{{1,6}}|>{{1,3}}|{_BULLET}(?:[ \t]\[[ xX]\])?)(?=[ \t])[ \t]++){{0,60}}+")
LINE_START_BEGUN = re.compile(
    rf"[ \t]*+(?:-#?|#{{1,6}}|>{{1,3}}|{_BULLET}|\|)?[ \t]*+\Z|(?<={_BULLET}[ \t])\[(?:[ xX]\]?)?\Z"
)
ROW = re.compile(r"[ \t]*+\|(?!\|)([^\n|]*+(?:\|(?!\|)[^\n|]*+)*+)")

# Whole lines that need no closer look: of plain words alone, or of a single bar.
PLAIN_LINES = re.compile(r"(?:[^\W_wW](?:[^`*_~|\\\n\r$^/<\[:@&!wW]++|[wW](?![wW]))*+\n)++")
EMPTY_ROWS = re.compile(r"(?:[ \t]*+\|[ \t]*+\n)++")

# Formulas and other signs.
ESCAPED = re.compile(r"\\([\\`*_~|<>#\[\]()@:.!+-])")
COMMAND = re.compile(r"\\[a-zA-Z]{1,20}+(?:\{[^{}\n]{0,100}+\}){0,2}+")
COMMAND_BEGUN = re.compile(r"\\(?:[a-zA-Z]{1,20}+(?:\{[^{}\n]{0,100}+\}){0,2}+(?:\{[^{}\n]{0,100}+)?)?\Z")
MONEY = re.compile(r"\$(?=\s|\d{1,20}(?:[.,]|(?:[kKmMbB]n?)?(?![\w^\\{=+*/(-]))|\Z)")
MONEY_BEGUN = re.compile(r"\$(?:\d{1,20}(?:[kKmMbB]n?)?)?\Z")
POWER = re.compile(r"\^(?=-?[0-9a-zA-Z])")
TORN_KEY = re.compile(r"[0-9#*]\ufe0f?\Z")  # may become a keycap
KEY = re.compile(r"[0-9#*]\ufe0f?\u20e3")


def without_line_marks(text: str) -> str:
    """A text without what stands before its first words as headings, quotes and lists have it."""
    at = no_rule_before = 0
    while True:
        found = None
        if at >= no_rule_before:  # a run of marks is looked at once
            found = LINE_OF_MARKS.match(text, at)
            run = MARKS_OF_A_LINE.match(text, at)
            no_rule_before = run.end() if run else at
        found = found or LINE_START.match(text, at)
        begun = _BLANKS.match(text, found.end() if found else at)
        if begun is None or begun.end() == at:
            return text[at:]
        at = begun.end()


_BLANKS = re.compile(r"\s*+")
