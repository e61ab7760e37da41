"""What of a job's payload people see: never a secret, nor all of something long."""

from __future__ import annotations

from typing import Any

SECRET_WORDS = ("secret", "password", "token", "credential", "authorization", "api_key")
HIDDEN = "(not shown)"
LONGEST = 500


def without_secrets(value: Any) -> Any:
    """Return JSON as it may be shown."""
    if isinstance(value, dict):
        return {key: HIDDEN if _is_secret(key) else without_secrets(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_secrets(one) for one in value[:100]]
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]} ({len(value)} characters)"
    return value


def _is_secret(key: str) -> bool:
    return any(word in key.lower() for word in SECRET_WORDS)
