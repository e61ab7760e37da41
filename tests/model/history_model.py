"""
A wallet platform as one would explain it: dictionaries, one request at a time, no concurrency at all.

It knows only what histories are made of: ACTIVE wallets of one asset. ``apply`` returns the members that
the answer must have; the clock is what the database said when it decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.model.history import cents, text

LIFETIME = 7 * 24 * 3600
Answer = dict[str, Any]


@dataclass(slots=True)
class Held:
    """A payment of the model. ``authorized`` is None unless it is a hold."""

    id: str
    kind: str
    status: str
    amount: int
    sender: str
    receiver: str
    parent: str | None = None
    authorized: int | None = None
    captured: int = 0
    refunded: int = 0
    expires: datetime | None = None

    @property
    def rest(self) -> int:
        return self.authorized - self.captured if self.status == "AUTHORIZED" and self.authorized else 0

    @property
    def to_give_back(self) -> int:
        return self.captured - self.refunded

    def effective(self, now: datetime) -> str:
        overdue = self.status == "AUTHORIZED" and self.expires is not None and self.expires <= now
        return "EXPIRED" if overdue else self.status

    def shown(self) -> Answer:
        return {
            "id": self.id, "kind": self.kind, "status": self.status, "amount": text(self.amount),
            "parent_id": self.parent, "captured_amount": text(self.captured), "refunded_amount": text(self.refunded),
            "authorized_amount": None if self.authorized is None else text(self.authorized), "expires_at": self.expires,
        }  # fmt: skip


@dataclass(slots=True)
class Account:
    balance: int = 0
    held: int = 0
    booked: datetime | None = None
    unlimited: bool = False

    def covers(self, amount: int) -> bool:
        return self.unlimited or self.balance - self.held >= amount


@dataclass(slots=True)
class Model:
    """All accounts and payments. System accounts go by their ids, and below zero."""

    system: frozenset[str]
    accounts: dict[str, Account] = field(default_factory=dict)
    payments: dict[str, Held] = field(default_factory=dict)

    def account(self, id: str) -> Account:
        return self.accounts.setdefault(id, Account(unlimited=id in self.system))

    def move(self, verb: str, id: str, sides: tuple[str, str], body: Answer, now: datetime) -> Answer:
        """Begin a payment between ``sides``; it gets ``id``."""
        amount, sender = cents(body["amount"]), self.account(sides[0])
        kind = "authorization" if verb == "authorize" else verb
        if not sender.covers(amount):
            return self._fail(id, kind, amount, sides, None, 422, "insufficient_funds")
        payment = self.payments[id] = Held(id, kind, "SETTLED", amount, *sides)
        if verb == "authorize":
            payment.status, payment.authorized = "AUTHORIZED", amount
            payment.expires = now + timedelta(seconds=body.get("expires_in", LIFETIME))
            sender.held += amount
        else:
            payment.captured = amount
            self._post(payment, now)
        return {"http": 201} | payment.shown()

    def act(self, verb: str, id: str, on: str, body: Answer, now: datetime) -> Answer:
        """Do something about payment ``on``; a payment that this makes gets ``id``."""
        parent = self.payments[on]
        return _ACTS[verb](self, id, parent, body, now)

    def expire(self, on: str, now: datetime) -> bool:
        """The sweep ends a hold; False where it had no right to."""
        parent = self.payments[on]
        if parent.status != "AUTHORIZED" or parent.effective(now) != "EXPIRED":
            return False
        self._end(parent, "EXPIRED")
        return True

    def _capture(self, id: str, parent: Held, body: Answer, now: datetime) -> Answer:
        refused = self._not_authorized(id, "capture", parent, body, now)
        if refused:
            return refused
        amount = cents(body["amount"]) if "amount" in body else parent.rest
        if amount > parent.rest:
            return self._invalid(id, "capture", parent, amount, now, capturable_amount=text(parent.rest))
        sides = parent.sender, parent.receiver
        self.account(parent.sender).held -= amount
        child = self.payments[id] = Held(id, "capture", "SETTLED", amount, *sides, parent=parent.id)
        self._post(child, now)
        parent.captured += amount
        if body.get("final", True) or parent.rest == 0:
            self.account(parent.sender).held -= parent.rest
            parent.status = "SETTLED"
        return {"http": 201} | child.shown()

    def _void(self, id: str, parent: Held, body: Answer, now: datetime) -> Answer:
        refused = self._not_authorized(id, "void", parent, body, now)
        if refused:
            return refused
        self._end(parent, "VOIDED")
        return {"http": 200} | parent.shown()

    def _extend(self, id: str, parent: Held, body: Answer, now: datetime) -> Answer:
        refused = self._not_authorized(id, "extension", parent, body, now)
        if refused:
            return refused
        until = now + timedelta(seconds=body["expires_in"])
        parent.expires = until
        return {"http": 200} | parent.shown()

    def _reauthorize(self, id: str, parent: Held, body: Answer, now: datetime) -> Answer:
        refused = self._not_authorized(id, "authorization", parent, body, now)
        if refused:
            return refused
        amount, sides = cents(body["amount"]), (parent.sender, parent.receiver)
        assert parent.authorized is not None
        if amount <= parent.captured:
            return self._invalid(id, "authorization", parent, amount, now, captured_amount=text(parent.captured))
        more = amount - parent.authorized
        if more > 0 and not self.account(parent.sender).covers(more):
            return self._fail(id, "authorization", amount, sides, parent.id, 422, "insufficient_funds")
        self.account(parent.sender).held += more
        parent.authorized = amount
        child = self.payments[id] = Held(id, "authorization", "SETTLED", amount, *sides, parent=parent.id)
        return {"http": 201} | child.shown()

    def _refund(self, id: str, parent: Held, body: Answer, now: datetime) -> Answer:
        left, is_hold = parent.to_give_back, parent.authorized is not None
        amount = cents(body["amount"]) if "amount" in body else left or parent.amount
        if not is_hold and parent.kind in ("capture", "refund", "reversal", "authorization"):
            return self._invalid(id, "refund", parent, amount, now)
        if left == 0 or amount > left:
            return self._invalid(id, "refund", parent, amount, now, refundable_amount=text(left))
        return self._give_back("refund", id, parent, amount, now)

    def _reverse(self, id: str, parent: Held, body: Answer, now: datetime) -> Answer:
        one_step = parent.kind in ("transfer", "topup", "spend")
        if not one_step or parent.status != "SETTLED" or parent.refunded:
            return self._invalid(id, "reversal", parent, parent.to_give_back or parent.amount, now)
        return self._give_back("reversal", id, parent, parent.amount, now)

    def _give_back(self, kind: str, id: str, parent: Held, amount: int, now: datetime) -> Answer:
        sides = parent.receiver, parent.sender
        if not self.account(parent.receiver).covers(amount):
            return self._fail(id, kind, amount, sides, parent.id, 422, "insufficient_funds")
        child = self.payments[id] = Held(id, kind, "SETTLED", amount, *sides, parent=parent.id)
        self._post(child, now)
        parent.refunded += amount
        return {"http": 201} | child.shown()

    def _not_authorized(self, id: str, kind: str, parent: Held, body: Answer, now: datetime) -> Answer | None:
        if parent.authorized is not None and parent.effective(now) == "AUTHORIZED":
            return None
        return self._invalid(id, kind, parent, cents(body.get("amount", "0")) or parent.amount, now)

    def _invalid(self, id: str, kind: str, parent: Held, amount: int, now: datetime, **more: str) -> Answer:
        sides = parent.sender, parent.receiver
        state = {"current_state": parent.effective(now)}
        return self._fail(id, kind, amount, sides, parent.id, 409, "invalid_state") | state | more

    def _fail(
        self, id: str, kind: str, amount: int, sides: tuple[str, str], parent: str | None, http: int, code: str
    ) -> Answer:
        self.payments[id] = Held(id, kind, "FAILED", amount, *sides, parent=parent)
        return {"http": http, "code": code, "payment_id": id}

    def _end(self, parent: Held, status: str) -> None:
        self.account(parent.sender).held -= parent.rest
        parent.status = "SETTLED" if parent.captured else status

    def _post(self, payment: Held, now: datetime) -> None:
        for account, change in ((payment.sender, -payment.amount), (payment.receiver, payment.amount)):
            self.account(account).balance += change
            self.account(account).booked = now


_ACTS: dict[str, Callable[[Model, str, Held, Answer, datetime], Answer]] = {
    "capture": Model._capture,
    "void": Model._void,
    "extend": Model._extend,
    "reauthorize": Model._reauthorize,
    "refund": Model._refund,
    "reverse": Model._reverse,
}
