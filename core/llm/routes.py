"""Routes: named servers and models, and how each is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from core.redaction import address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.config.model import RouteSection

OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Route:
    """One server and model, and how it is asked. Times in seconds; `stop` strings are kept by the server and here."""

    name: str
    model: str
    base_url: str = field(
        default="", repr=False
    )  # up to and including /v1; empty is OpenAI's own; for Azure, the endpoint
    kind: Literal["openai", "azure"] = "openai"
    api_key_env: str = "OPENAI_API_KEY"
    api_version: str = "2024-10-21"  # Azure only
    temperature: float | None = None
    max_tokens: int | None = None
    limit_key: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"  # how the server calls it
    reasoning: Literal["auto", "starts_inside"] = "auto"  # the second: an answer begins inside a thought, unopened
    stop: tuple[str, ...] = ()
    first_token_timeout_s: float = 15
    total_timeout_s: float = 120
    context_tokens: int = 4096
    vision: bool = False
    retries: int = 2
    extra_body: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    extra_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def of(cls, name: str, section: RouteSection) -> Route:
        """The route that a section of the configuration describes."""
        given: dict[str, Any] = {each.name: getattr(section, each.name) for each in fields(cls) if each.name != "name"}
        given["stop"] = tuple(section.stop)
        return cls(name, **given)

    @property
    def address(self) -> str:
        """Where the server is, for people: no path, no user, no password, no query."""
        scheme, _, place = address(self.base_url or OPENAI).partition("://")
        return f"{scheme}://{place.partition('/')[0]}"

    @property
    def needs_key(self) -> bool:
        """Whether the server surely refuses to work without a key."""
        return self.kind == "azure" or not self.base_url

    @property
    def prompt_tokens(self) -> int:
        """How long a prompt may be, with room left for the answer."""
        return self.room_in(self.context_tokens)

    def room_in(self, context_tokens: int) -> int:
        """How long a prompt may be in a context of this length."""
        answer = self.max_tokens or 512
        return context_tokens - min(answer, context_tokens // 2)
