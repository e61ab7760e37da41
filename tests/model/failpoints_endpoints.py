"""Every endpoint that moves or holds money, each with a world of its own to be called in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.model.history_platform import Arena


@dataclass(slots=True)
class Scene:
    """Two wallets with 100.00 each, and a request about them."""

    arena: Arena
    wallets: list[str]
    path: str = ""
    body: dict[str, Any] | None = None

    @property
    def sides(self) -> dict[str, Any]:
        return {"sender_wallet_id": self.wallets[0], "receiver_wallet_id": self.wallets[1], "amount": "10.00"}

    @property
    def money(self) -> dict[str, Any]:
        return {"wallet_id": self.wallets[0], "amount": "7.00"}

    def hold(self) -> str:
        return str(self.arena.post("/payments", self.sides | {"capture": False})["id"])

    def paid(self) -> str:
        return str(self.arena.post("/payments", self.sides)["id"])

    def waiting(self, **more: Any) -> str:
        return str(self.arena.post("/payments", self.sides | {"metadata": {"policy": "review"}} | more)["id"])

    def batch(self, mode: str) -> dict[str, Any]:
        items = [self.sides, self.sides | {"after": 0}, self.money | {"kind": "topup"}, self.money | {"kind": "spend"}]
        # One of them is declined, where that does not take the others with it.
        items += [self.sides | {"amount": "5000.00"}] if mode == "independent" else []
        return {"mode": mode, "payments": [item | {"idempotency_key": uuid4().hex} for item in items]}


Request = Callable[[Scene], tuple[str, dict[str, Any]]]
ENDPOINTS: dict[str, Request] = {
    "payments": lambda s: ("/payments", s.sides),
    "payments, declined": lambda s: ("/payments", s.sides | {"amount": "5000.00"}),
    "payments, held": lambda s: ("/payments", s.sides | {"capture": False, "expires_in": 86400}),
    "topups": lambda s: ("/topups", s.money),
    "bonuses": lambda s: ("/bonuses", s.money),
    "spends": lambda s: ("/spends", s.money),
    "capture": lambda s: (f"/payments/{s.hold()}/capture", {"amount": "4.00", "final": False}),
    "void": lambda s: (f"/payments/{s.hold()}/void", {}),
    "extend": lambda s: (f"/payments/{s.hold()}/extend", {"expires_in": 10 * 86400}),
    "reauthorize": lambda s: (f"/payments/{s.hold()}/reauthorize", {"amount": "12.00"}),
    "refund": lambda s: (f"/payments/{s.paid()}/refund", {"amount": "3.00"}),
    "reverse": lambda s: (f"/payments/{s.paid()}/reverse", {}),
    "review": lambda s: (f"/payments/{s.waiting()}/review", {"approve": True}),
    "review, held": lambda s: (f"/payments/{s.waiting(capture=False)}/review", {"approve": True}),
    "captures": lambda s: ("/payments/captures", {"payment_ids": [s.hold(), s.hold()]}),
    "voids": lambda s: ("/payments/voids", {"payment_ids": [s.hold(), s.hold()]}),
    "batch, independent": lambda s: ("/payments/batch", s.batch("independent")),
    "batch, atomic": lambda s: ("/payments/batch", s.batch("atomic")),
}


def scene(arena: Arena, name: str) -> Scene:
    made = Scene(arena, [arena.wallet("100.00"), arena.wallet("100.00")])
    made.path, made.body = ENDPOINTS[name](made)
    return made


def forgotten() -> set[str]:
    """The endpoints that move money and stand in no line above: there should be none."""
    from payments.api.money import MoneyView  # Django is set up by now
    from payments.api.urls import urlpatterns

    named = {name.split(",")[0] for name in ENDPOINTS}
    routes = {
        str(pattern.pattern).rsplit("/", 1)[-1]
        for pattern in urlpatterns
        if issubclass(getattr(pattern.callback, "view_class", object), MoneyView)
    }
    return routes - named


STATE = """
    SELECT balance, held, seq FROM accounts WHERE id = ANY(%s::uuid[]) ORDER BY array_position(%s::uuid[], id)
"""
PAYMENTS = """
    SELECT kind, status, amount, authorized_amount, captured_amount, refunded_amount, parent_id IS NULL
      FROM payments WHERE sender_id = ANY(%s::uuid[]) OR receiver_id = ANY(%s::uuid[]) ORDER BY id
"""
TOLD = """
    SELECT o.type, count(*) FROM outbox_events o JOIN payments p ON p.id = o.subject
     WHERE p.sender_id = ANY(%s::uuid[]) OR p.receiver_id = ANY(%s::uuid[]) GROUP BY o.type ORDER BY o.type
"""
KEYS = """
    SELECT count(*) FROM idempotency_keys k WHERE k.resource_id IN
           (SELECT id FROM payments WHERE sender_id = ANY(%s::uuid[]) OR receiver_id = ANY(%s::uuid[]))
"""


def state(made: Scene) -> tuple[Any, ...]:
    """All that the ledger says about a scene, without ids and times: equal worlds are equal."""
    with made.arena.session() as session:
        return tuple(
            tuple(session.execute(sql, (made.wallets, made.wallets)).fetchall())
            for sql in (STATE, PAYMENTS, TOLD, KEYS)
        )
