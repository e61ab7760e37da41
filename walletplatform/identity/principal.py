"""Who is asking: the verified bearer of a token. Made from the token alone, without a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """
    A client system, an end user, or staff in the console.

    A client is bound to named assets, or to all (None), and acts by its scopes. An end user owns
    wallets: those whose ``user_id`` is its ``id``. Staff hold no token as such: the console asks for them, and what
    they may do was checked there.
    """

    id: UUID
    kind: Literal["client", "user", "staff"]
    scopes: frozenset[str]
    assets: frozenset[str] | None

    is_authenticated = True

    @property
    def is_user(self) -> bool:
        return self.kind == "user"

    def sees_asset(self, code: str) -> bool:
        return self.assets is None or code in self.assets


def staff(user_id: UUID) -> Principal:
    """Return whom a member of staff acts as in the console, which has checked what they may do."""
    return Principal(id=user_id, kind="staff", scopes=frozenset(), assets=None)
