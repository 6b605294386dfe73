"""Pages of sites: asked about in a process of its own, here with a package that stands in for yt-dlp."""

from __future__ import annotations

import os
import textwrap
import time

import pytest

from core.errors import AudioError, FetchError
from tests.core.music.sources.conftest import mp3
from tests.web_site import reply

PAGE = reply(b"<!doctype html><title>A song</title>", kind="text/html")


@pytest.fixture
def installed(tmp_path):
    """Installs a package in the place of yt-dlp, whose `extract_info` is this text; gives its folder."""

    def install(body: str, version: str = "2026.11.01") -> str:
        package = tmp_path / "packages" / "yt_dlp"
        package.mkdir(parents=True, exist_ok=True)
        (package / "version.py").write_text(f"__version__ = {version!r}\n")
        (package / "__init__.py").write_text(
            textwrap.dedent(
                """
                import os, sys, time
                class DownloadError(Exception): pass
                class GeoRestrictedError(Exception): pass
                class YoutubeDL:
                    def __init__(self, options): self.options = options
                    def __enter__(self): return self
                    def __exit__(self, *_): pass
                    def sanitize_info(self, found): return found
                    def extract_info(self, url, download):
                        assert download is False
                """
            )
            + textwrap.indent(textwrap.dedent(body), " " * 8)
        )
        return str(package.parent)

    return install


def on(folder: str, **settings):
    return {"enabled": True, "folder": folder, **settings}


async def test_the_sound_of_a_page_is_found_and_fetched_through_the_guard(site, make, installed):
    site.answers |= {"/watch": PAGE, "/sound": reply(mp3(1.0))}
    folder = installed(
        f"""
        assert "generic" not in str(self.options["allowed_extractors"])
        assert not any("TOKEN" in name for name in os.environ), "no secret goes along"
        return {{"url": {site.url("/sound")!r}, "title": "A\\nsong", "uploader": "Anna", "duration": 1.0, "protocol": "http",
                "http_headers": {{"User-Agent": "Mozilla", "Cookie": "id=7"}}}}
        """
    )
    os.environ["SOME_TOKEN"] = "geheim"
    try:
        (sound,) = (await make(**on(folder)).find(site.url("/watch"))).sounds
    finally:
        del os.environ["SOME_TOKEN"]
    assert (sound.title, sound.artist, sound.length_s, sound.url) == ("A song", "Anna", 1.0, site.url("/watch"))
    assert site.asked[-1].headers["user-agent"] == "Mozilla"
    assert "cookie" not in site.asked[-1].headers
    sound.source.release()


async def test_what_it_finds_is_looked_at_like_every_address(site, make, installed):
    site.answers["/watch"] = PAGE
    for url in ("http://10.0.0.1/a", "file:///etc/passwd", "http://169.254.169.254/"):
        folder = installed(f"return {{'url': {url!r}, 'title': 'x'}}")
        with pytest.raises(FetchError):
            await make(**on(folder)).find(site.url("/watch"))


@pytest.mark.parametrize(
    ("body", "version", "words"),
    [
        ("raise GeoRestrictedError('x')", "2026.11.01", "country"),
        ("raise DownloadError('ERROR: This video is DRM protected')", "2026.11.01", "DRM"),
        ("return {'url': 'http://a.example/', 'has_drm': True}", "2026.11.01", "DRM"),
        ("raise DownloadError('Unsupported URL: x')", "2026.11.01", "no site"),
        ("raise DownloadError('Sign in to confirm your age')", "2026.11.01", "logged in"),
        ("raise KeyError('player')", "2026.11.01", "site may have changed"),
        ("os._exit(1)", "2026.11.01", "site may have changed"),
        ("print('x' * 3_000_000)", "2026.11.01", "site may have changed"),
        ("return None", "2026.11.01", "no sound on that page"),
        ("return {'entries': []}", "2026.11.01", "no sound on that page"),
        ("return {}", "2023.01.01", "(2023.01.01) is too old"),
    ],
)
async def test_whatever_goes_wrong_is_one_sentence(site, make, installed, body, version, words):
    site.answers["/watch"] = PAGE
    with pytest.raises(AudioError) as caught:
        await make(**on(installed(body, version))).find(site.url("/watch"))
    assert words in caught.value.sentence


async def test_it_is_ended_when_it_takes_too_long_with_all_it_started(site, make, installed, tmp_path):
    site.answers["/watch"] = PAGE
    mark = tmp_path / "mark"
    folder = installed(
        f"""
        import subprocess
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3); open({str(mark)!r}, 'w')"])
        time.sleep(60)
        """
    )
    began = time.monotonic()
    with pytest.raises(AudioError, match="longer than 1 s"):
        await make(**on(folder, timeout_s=1)).find(site.url("/watch"))
    assert time.monotonic() - began < 20
    assert not mark.exists()


async def test_a_page_is_no_sound_where_nobody_looks_into_pages(site, make, tmp_path):
    site.answers["/watch"] = PAGE
    with pytest.raises(AudioError, match="address of the file itself"):
        await make().find(site.url("/watch"))
    (tmp_path / "none").mkdir()
    with pytest.raises(AudioError, match="install yt-dlp"):
        await make(**on(str(tmp_path / "none"))).find(site.url("/watch"))
