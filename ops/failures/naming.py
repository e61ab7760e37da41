"""What a group of failed payments is called."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from ops.failures.models import PEOPLE
from ops.failures.words import category_title, words
from walletplatform.identity.models import Client

# Who asks without a client system.
PEOPLES = "People (apps and console)"


def titles(dimension: str, keys: Iterable[str]) -> dict[str, str]:
    """Return the title of each key of a dimension; clients are looked up at once."""
    if dimension == "client":
        return client_titles(keys)
    return {key: _title(dimension, key) for key in keys}


def client_titles(keys: Iterable[str]) -> dict[str, str]:
    names: dict[str, str] = {
        str(pk): name for pk, name in Client.objects.filter(pk__in=list(keys)).values_list("pk", "name")
    }
    return {key: names.get(key) or _person_or(key) for key in keys}


def _person_or(key: str) -> str:
    return PEOPLES if UUID(key) == PEOPLE else f"Client\N{NO-BREAK SPACE}…{key[-12:]}"


def _title(dimension: str, key: str) -> str:
    if dimension == "code":
        return words(key).title
    if dimension == "category":
        return category_title(key)
    if dimension == "asset":
        return key
    if dimension == "wallet":
        return f"Wallet\N{NO-BREAK SPACE}…{key[-12:]}"
    return f"{key[:10]} {key[11:16]} UTC"
