"""Who acts in the tests: bearers of tokens, speaking HTTP with the real application."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from django.test import Client

from walletplatform.identity.principal import Principal
from walletplatform.identity.scopes import END_USER_SCOPES, SCOPES
from walletplatform.identity.tokens import access_token
from wallets.lifecycle import change_status

API = "/api/v1"


@dataclass(slots=True)
class Actor:
    """A principal and its HTTP client; answers are Django test responses."""

    principal: Principal
    http: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    @property
    def id(self) -> UUID:
        return self.principal.id

    @property
    def bearer(self) -> str:
        return "Bearer " + access_token(self.principal, lifetime=timedelta(minutes=5))

    def get(self, path: str, **headers: str) -> Any:
        return self.http.get(API + path, headers={"Authorization": self.bearer, **headers})

    def send(self, method: str, path: str, body: Any, **headers: str) -> Any:
        """Send ``body`` as JSON; bytes and text go as they are."""
        raw = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.http.generic(
            method, API + path, raw, content_type="application/json",
            headers={"Authorization": self.bearer} | {n.replace("_", "-"): v for n, v in headers.items()},
        )  # fmt: skip

    def post(self, path: str, body: Any, *, key: str | None = "new", **headers: str) -> Any:
        """POST; ``key`` is the Idempotency-Key, "new" for one of its own, None for none."""
        if key is not None:
            headers["Idempotency-Key"] = uuid4().hex if key == "new" else key
        return self.send("POST", path, body, **headers)

    def wallet(self, asset: str = "EUR", *, owner: UUID | None = None, holding: str | None = None) -> str:
        """Open an ACTIVE wallet; with ``holding``, topped up. Returns its id."""
        wanted = {"user_id": str(owner or uuid4()), "asset": asset, "activate": True}
        opened = self.post("/wallets", wanted, key=None)
        assert opened.status_code == 201, opened.content
        wallet = str(opened.json()["id"])
        if holding is not None:
            topped = self.post("/topups", {"wallet_id": wallet, "amount": holding})
            assert topped.status_code == 201, topped.content
        return wallet

    def pay(self, sender: str, receiver: str, amount: str, *, key: str = "new", **more: Any) -> Any:
        body = {"sender_wallet_id": sender, "receiver_wallet_id": receiver, "amount": amount, **more}
        return self.post("/payments", body, key=key)

    def balance(self, wallet: str) -> str:
        return str(self.get(f"/wallets/{wallet}/balance").json()["balance"])

    def unfreeze(self, wallet: str) -> None:
        """Have a suspended wallet active again, as it is once two people have said so."""
        change_status(
            principal=self.principal, wallet_id=UUID(wallet), status="ACTIVE", reason="test", expected_etag="*"
        )

    def set_status(self, wallet: str, status: str) -> Any:
        return self.send("PATCH", f"/wallets/{wallet}/status", {"status": status, "reason": "test"}, If_Match="*")


def actor(
    kind: Literal["client", "user"],
    *,
    id: UUID | None = None,
    scopes: frozenset[str] | None = None,
    assets: frozenset[str] | None = None,
) -> Actor:
    """Return an actor: a client with every scope, or an end user, unless told otherwise."""
    usual = frozenset(SCOPES) if kind == "client" else END_USER_SCOPES
    granted = usual if scopes is None else scopes
    return Actor(Principal(id=id or uuid4(), kind=kind, scopes=granted, assets=assets))
