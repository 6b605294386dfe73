"""`[model]`: the language models, as named routes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from core.config.section import VARIABLE, Section


class RouteSection(Section):
    """`[model.routes.NAME]`: one server and model."""

    kind: Literal["openai", "azure"] = "openai"
    base_url: str = Field(
        default="", description="Address up to and including /v1; empty is OpenAI's own. Azure: the endpoint."
    )
    model: str = Field(min_length=1, description="Name of the model; for Azure, of the deployment.")
    api_key_env: str = Field(
        default="",
        pattern=VARIABLE,
        description="Environment variable that holds the key. Empty: OPENAI_API_KEY for OpenAI's own server, "
        "AZURE_OPENAI_API_KEY for Azure, none for any other.",
    )
    api_version: str = Field(default="2024-10-21", description="Azure only.")
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    limit_key: Literal["auto", "max_tokens", "max_completion_tokens"] = Field(
        default="auto", description="How the server calls max_tokens; auto finds out from its refusal, once."
    )
    reasoning: Literal["auto", "starts_inside"] = Field(
        default="auto",
        description="auto leaves out thoughts that are marked at their beginning; starts_inside everything up to the first "
        "end of a thought, for models whose answers begin inside one.",
    )
    stop: list[str] = Field(default_factory=list[str])
    vision: bool = Field(default=False, description="Whether pictures may be sent.")
    first_token_timeout_s: float = Field(default=15, gt=0)
    total_timeout_s: float = Field(default=120, gt=0)
    context_tokens: int = Field(default=4096, ge=256, description="Longer prompts lose their oldest messages.")
    retries: int = Field(default=2, ge=0, le=10)
    extra_body: dict[str, Any] = Field(default_factory=dict[str, Any])
    extra_headers: dict[str, str] = Field(default_factory=dict[str, str])


class ModelSection(Section):
    """Which models answer. Without a route named `default`, the bot reads the prompt channel aloud instead."""

    routes: dict[str, RouteSection] = Field(default_factory=dict[str, RouteSection])

    @model_validator(mode="after")
    def _needs_default(self) -> ModelSection:
        if self.routes and "default" not in self.routes:
            raise ValueError(f"has routes ({', '.join(sorted(self.routes))}) but none named 'default'")
        return self
