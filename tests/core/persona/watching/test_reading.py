"""What feeds and pages say, whatever they look like."""

from __future__ import annotations

import json
import time

import pytest

from core.errors import WatchError
from core.persona.watching.news import Wanted
from core.persona.watching.pages import check_selector
from core.persona.watching.reading import read

URL = "https://shop.example/things/1"


def page(body: str, *wanted: Wanted, head: str = "", kind: str = "text/html"):
    whole = f"<html><head>{head}</head><body>{body}</body></html>".encode()
    return read(whole, kind, "utf-8", URL, wanted or (Wanted(),))


def product(*availability) -> str:
    offers = [{"@type": "Offer", "availability": each} for each in availability]
    data = json.dumps({"@graph": [{"@type": "Product", "offers": offers}]})
    return f'<script type="application/ld+json">{data}</script>'


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (["https://schema.org/InStock"], "in stock"),
        (["http://schema.org/OutOfStock"], "sold out"),
        (["SoldOut", "LimitedAvailability"], "in stock"),
        ([{"@id": "https://schema.org/PreOrder/"}], "to be ordered in advance"),
        ([["https://schema.org/InStock"]], "in stock"),
    ],
)
def test_a_shop_says_itself_what_it_has(told, shown):
    assert page("anything at all", head=product(*told)).parts[0].shown == shown


def test_a_selector_goes_before_what_the_shop_says_and_words_look_into_it():
    body = '<div id="stock"> Sold\n out </div><footer>in stock soon</footer>'
    wanted = Wanted("#stock"), Wanted("#stock", ("in stock", "sold out")), Wanted("", ("soon",))
    seen = page(body, *wanted, head=product("InStock"))
    assert [part.shown for part in seen.parts] == ["Sold out", "sold out", "soon"]
    assert page("x", Wanted("", ("soon",))).parts[0].shown == "no “soon”"
    assert page("instockings", Wanted("", ("in stock", "stock"))).parts[0].state == "", "whole words"


def test_what_is_blank_or_gone_tells_nothing():
    seen = page("<p>text</p>", Wanted("#gone"), Wanted("", ("in stock", "sold out")))
    assert [part.state for part in seen.parts] == ["", ""]
    assert page("  <script>var now = 1</script><style>p {}</style>").parts[0].state == ""


def test_scripts_and_blanks_are_no_change_and_words_are():
    one, other = page("<p>Price: 5</p><script>1</script>"), page("\n<p>Price:   5</p>\n<script>2</script>")
    assert one.parts == other.parts
    assert one.parts != page("<p>Price: 6</p>").parts


def test_title_and_picture_are_plain_and_of_the_web():
    head = '<title>\n A [x](http://evil) &amp; @everyone </title><meta property="og:image" content="/a.png">'
    seen = page("x", head=head)
    assert (seen.title, seen.picture) == ("A [x](http://evil) & @everyone", "https://shop.example/a.png")
    assert page("x", head='<meta property="og:image" content="file:///etc/passwd">').picture == ""


@pytest.mark.parametrize("charset", ["", "windows-1252", "nonsense"])
def test_letters_of_any_encoding_are_read(charset):
    body = "<meta charset='iso-8859-1'><body>Größe".encode("latin-1")
    assert read(body, "text/html", charset, URL, (Wanted(),)).parts[0].shown == "Größe"


RSS = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>News &x;</title>
<item><title>Old &amp; &lt;b&gt;bold&lt;/b&gt;</title><link>/old</link><guid>1</guid>
<pubDate>Sat, 21 Nov 2026 09:00:00 GMT</pubDate></item>
<item><title>New</title><link>https://other.example/new</link><guid>2</guid>
<pubDate>Sun, 22 Nov 2026 09:00:00 GMT</pubDate>
<description>&lt;p&gt;Text&lt;/p&gt;&lt;img src="https://a.example/p.png"&gt;</description></item>
<item><title>New again</title><link>javascript:alert(1)</link><guid>2</guid>
<pubDate>Sun, 22 Nov 2026 09:00:00 GMT</pubDate></item>
</channel></rss>"""


def test_a_feed_is_read_newest_first_each_entry_once():
    seen = read(RSS.encode(), "text/xml", "", "https://news.example/feed", (Wanted(),))
    assert (seen.kind, seen.title) == ("feed", "News")
    assert [(item.title, item.url) for item in seen.items] == [
        ("New", "https://other.example/new"),
        ("Old & bold", "https://news.example/old"),
    ]
    assert (seen.items[0].text, seen.items[0].picture) == ("Text", "https://a.example/p.png")


def test_broken_xml_is_read_as_far_as_it_goes():
    seen = read(RSS.replace("</guid>", "", 1).replace("&x;", "&nope;")[:-60].encode(), "text/xml", "", URL, (Wanted(),))
    assert seen.kind == "feed"
    assert "New" in [item.title for item in seen.items]


def test_an_atom_feed_without_ids_goes_by_link_and_title():
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><title>{}</title>'
        '<link href="https://a.example/1"/></entry></feed>'
    )
    keys = [
        read(atom.format(title).encode(), "application/atom+xml", "", URL, (Wanted(),)).items[0].key
        for title in ("x", "x", "y")
    ]
    assert keys[0] == keys[1] != keys[2]


def test_entities_within_entities_do_not_swell():
    lines = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a0 "lol">{lines}]>'
        '<rss version="2.0"><channel><title>&a9;</title></channel></rss>'
    )
    began = time.monotonic()
    assert len(read(bomb.encode(), "text/xml", "", URL, (Wanted(),)).title) <= 200
    assert time.monotonic() - began < 20


def test_a_page_without_a_bottom_is_refused():
    with pytest.raises(WatchError, match="nested"):
        page("<div>" * 100_000)
    assert page("<p>x<br>" * 20_000).parts[0].state


@pytest.mark.parametrize("selector", ["p[", "###", "p:::x", "a" * 500])
def test_what_is_no_selector_is_told(selector):
    with pytest.raises(WatchError, match="no CSS selector"):
        check_selector(selector)


def test_what_is_neither_is_told():
    with pytest.raises(WatchError, match="neither"):
        read(b"\x89PNG\0\0", "application/octet-stream", "", URL, (Wanted(),))
