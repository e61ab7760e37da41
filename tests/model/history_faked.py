"""
Made-up histories: right ones, by running requests one after the other, and ways to spoil them.

A checker that has only ever said "right" is no evidence. Here it is shown what it must find.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson

from tests.model.history import (
    EXPIRY,
    READS,
    EntryRow,
    EventRow,
    History,
    Ledger,
    Operation,
    PaymentRow,
    cents,
    text,
)
from tests.model.history_load import Load
from tests.model.history_model import Answer, Model

START = datetime(2026, 1, 1, tzinfo=UTC)
TREASURY, REVENUE = "treasury", "revenue"


class FakePlatform:
    """Executes operations at moments of its own choice, each within its sending and its answer."""

    def __init__(self, seed: int, wallets: int = 4) -> None:
        self.chance = Random(seed)
        self.model = Model(system=frozenset({TREASURY, REVENUE}))
        self.ledger = Ledger({}, [], [], {})
        self.load = Load([f"w{number}" for number in range(wallets)], seed, 0, "f")
        self.seq: dict[str, int] = {}
        self.clock = 0.0
        self.operations: list[Operation] = []
        for wallet in self.load.wallets:
            self.model.account(wallet).balance, self.model.account(wallet).booked = 20_000, START

    def history(self, count: int) -> History:
        for number in range(count):
            _, *request, id = self.load._next(self.chance, f"f-{number}")
            self.clock += 1
            width = self.chance.uniform(0, 8)
            operation = Operation(id, *request, self.clock - width * self.chance.random(), self.clock + width)
            if self.chance.random() < 0.05:
                self.expire()
            self.execute(operation)
            self.operations.append(operation)
        wallets = {wallet: self.model.account(wallet) for wallet in self.load.wallets}
        self.ledger.accounts = {wallet: (account.balance, account.held) for wallet, account in wallets.items()}
        return History(self.operations, self.ledger, dict.fromkeys(self.load.wallets, (20_000, START)))

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.clock)

    def execute(self, operation: Operation) -> None:
        """Give an operation its answer, and the ledger its rows."""
        if operation.verb in READS:
            operation.status, operation.raw = 200, _bytes(self._read(operation))
            return
        first = next((other for other in self.operations if other.key == operation.key), None)
        if first is not None:
            operation.status, operation.raw = first.status, first.raw
            operation.answered = max(operation.answered, self.clock)
            return
        before = {id: (p.status, p.captured, p.refunded, p.authorized) for id, p in self.model.payments.items()}
        id = f"p-{operation.id}"
        expected = self._apply(operation, id)
        self._keep(operation, id, before)
        operation.status, operation.raw = expected.pop("http"), _bytes(expected)

    def _apply(self, operation: Operation, id: str) -> Answer:
        body = operation.body
        if operation.subject:
            return self.model.act(operation.verb, id, operation.subject, body, self.now)
        wallet = body.get("wallet_id", "")
        sides = {"topup": (TREASURY, wallet), "spend": (wallet, REVENUE)}.get(
            operation.verb, (body.get("sender_wallet_id"), body.get("receiver_wallet_id"))
        )
        answer = self.model.move(operation.verb, id, sides, body, self.now)
        if answer["http"] == 201:
            (self.load.holds if operation.verb == "authorize" else self.load.paid).append(id)
        return answer

    def _keep(self, operation: Operation, id: str, before: dict[str, Any]) -> None:
        made = self.model.payments.get(id)
        if made is not None:
            parties = made.sender, made.receiver
            self.ledger.payments[id] = PaymentRow(
                id, made.kind, made.status, *parties, made.parent, operation.key, operation.id
            )
            type = {"FAILED": "failed", "AUTHORIZED": "authorized"}.get(made.status, "settled")
            if not (made.kind == "authorization" and made.parent and made.status == "SETTLED"):
                self._tell(f"payment.{type}", id, operation.id)
            if type == "settled" and made.kind != "authorization":
                self._enter(id, made.sender, -made.amount)
                self._enter(id, made.receiver, made.amount)
        parent = self.model.payments.get(operation.subject)
        if parent is not None and (made is None or made.status != "FAILED"):
            type = {"refund": "refunded", "reverse": "refunded", "void": parent.status.lower()}.get(
                operation.verb, "captured" if operation.verb == "capture" else "authorized"
            )
            self._tell(f"payment.{type}", parent.id, operation.id)

    def _tell(self, type: str, subject: str, request: str) -> None:
        self.ledger.events.append(EventRow(len(self.ledger.events) + 1, type, subject, self.now, request))

    def _enter(self, id: str, account: str, change: int) -> None:
        self.seq[account] = self.seq.get(account, 0) + 1
        balance = self.model.account(account).balance
        self.ledger.entries.append(EntryRow(account, self.seq[account], id, change, balance))

    def _read(self, operation: Operation) -> Answer:
        if operation.verb == "read_payment":
            return self.model.payments[operation.subject].shown()
        account = self.model.account(operation.subject)
        available = text(account.balance - account.held)
        return {
            "balance": text(account.balance), "held": text(account.held), "available": available, "at": account.booked,
        }  # fmt: skip

    def expire(self) -> None:
        """Sweep, as the platform does by itself."""
        for payment in list(self.model.payments.values()):
            if self.model.expire(payment.id, self.now):
                self._tell("payment.expired", payment.id, EXPIRY)


def _bytes(answer: Answer) -> bytes:
    return orjson.dumps(answer)


def faked(seed: int, count: int = 300) -> History:
    return FakePlatform(seed).history(count)


def settled(history: History, *, verb: str = "transfer") -> list[Operation]:
    """Operations of a kind that were carried out and sent once, in their order."""
    often = {operation.key for operation in history.operations}
    once = {key for key in often if sum(other.key == key for other in history.operations) == 1}
    return [o for o in history.operations if o.verb == verb and o.status == 201 and o.key in once]


def change_answer(operation: Operation, **members: Any) -> None:
    operation.raw = _bytes(operation.answer | members)


def shift_balance(history: History, account: str, seq: int, change: int) -> None:
    """An update was lost: from an entry on, the account is off."""
    history.ledger.entries = [
        replace(entry, balance_after=entry.balance_after + change)
        if entry.account == account and entry.seq >= seq
        else entry
        for entry in history.ledger.entries
    ]
    balance, held = history.ledger.accounts[account]
    history.ledger.accounts[account] = balance + change, held


def amount_of(operation: Operation) -> int:
    return cents(operation.body["amount"])


def fake_pay(history: History, number: int, sender: str, receiver: str, *, invoked: float, answered: float) -> None:
    """Add a transfer of 1.00 that is the ``number``-th by the ledger."""
    id, paid = f"x-{number}", START + timedelta(seconds=number)
    body = {"amount": "1.00", "sender_wallet_id": sender, "receiver_wallet_id": receiver}
    shown = {
        "id": id, "kind": "transfer", "status": "SETTLED", "amount": "1.00", "parent_id": None,
        "captured_amount": "1.00", "refunded_amount": "0.00", "authorized_amount": None, "expires_at": None,
    }  # fmt: skip
    operation = Operation(f"r-{number}", "transfer", "", body, f"k-{number}", invoked, answered, 201, _bytes(shown))
    history.operations.append(operation)
    ledger = history.ledger
    ledger.payments[id] = PaymentRow(id, "transfer", "SETTLED", sender, receiver, None, operation.key, operation.id)
    ledger.events.append(EventRow(number, "payment.settled", id, paid, operation.id))
    for account, change in ((sender, -100), (receiver, 100)):
        balance, _ = ledger.accounts[account]
        ledger.accounts[account] = balance + change, 0
        seq = 1 + sum(entry.account == account for entry in ledger.entries)
        ledger.entries.append(EntryRow(account, seq, id, change, balance + change))


def add_read(history: History, wallet: str, *, paid: bool, invoked: float, answered: float) -> None:
    """Add a read of a wallet that pays 1.00 once: before that, or after."""
    event = next(e for e in history.ledger.events if history.ledger.payments[e.subject].sender == wallet)
    shown = text(19_900 if paid else 20_000)
    answer = {"balance": shown, "held": "0.00", "available": shown, "at": event.time if paid else START}
    number = len(history.operations)
    history.operations.append(
        Operation(f"q-{number}", "read_wallet", wallet, {}, "", invoked, answered, 200, _bytes(answer))
    )
