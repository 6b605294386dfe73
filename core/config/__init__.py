"""`config.toml` as checked, frozen values; secrets from the environment alone."""

from __future__ import annotations

from core.config.load import CHECKOUT, Config, Environment, load, require_secrets

__all__ = ["CHECKOUT", "Config", "Environment", "load", "require_secrets"]
