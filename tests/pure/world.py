"""A ledger in memory for ``decide``: no database, no clock, ids that count up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import orjson

from ledger.accounts import AccountState
from payments import commands as asked
from payments.deciding import decide
from payments.state import Outcome, PaymentState, Plan, State, WalletState
from walletplatform.identity.principal import Principal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLIENT = Principal(id=UUID(int=1), kind="client", scopes=frozenset(), assets=None)
ANN, BOB, CLEO, GEM = (UUID(int=n) for n in (101, 102, 103, 104))
OWNER = UUID(int=9)
SYSTEM = {"treasury": UUID(int=201), "bonus": UUID(int=202), "revenue": UUID(int=203)}


@dataclass
class World:
    """Ann has 100.00, Bob and Cleo nothing; Gem holds another asset. All wallets are Owner's and ACTIVE."""

    now: datetime = NOW
    state: State = field(init=False)
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        numbers = count(1000)
        accounts = [self.account(ANN, 10_000), self.account(BOB, 0), self.account(CLEO, 0)]
        accounts.append(self.account(GEM, 50, asset="GEM", scale=0))
        accounts += [self.account(id, 0, kind=kind, floor=None) for kind, id in SYSTEM.items()]
        self.state = State(
            now=self.now,
            accounts={account.id: account for account in accounts},
            wallets={wallet: WalletState(OWNER, "ACTIVE") for wallet in (ANN, BOB, CLEO, GEM)},
            keys={},
            new_id=lambda: UUID(int=next(numbers)),
        )

    @staticmethod
    def account(
        id: UUID, balance: int, *, asset: str = "EUR", scale: int = 2, kind: str = "wallet", floor: int | None = 0
    ) -> AccountState:
        return AccountState(id, asset, scale, kind, balance, 0, floor, 3, True, None)

    def suspend(self, wallet: UUID, status: str = "SUSPENDED") -> None:
        self.state.accounts[wallet].open = False
        self.state.wallets[wallet] = WalletState(OWNER, status)

    def do(self, *wanted: asked.Command) -> list[Outcome]:
        """Decide commands; payments that came about can be acted on by the next call."""
        outcomes, self.plan = decide(self.state, list(wanted))
        self.keep()
        return outcomes

    def keep(self) -> None:
        """Let the next decision find what this one has made, as the database would."""
        names = (
            "id", "kind", "status", "asset", "amount", "sender_id", "receiver_id", "parent_id", "principal", "key",
            "request_id", "description", "metadata", "created_at", "effective_at", "authorized_amount", "expires_at",
        )  # fmt: skip
        for row in self.plan.payments:
            fields = dict(zip(names, row, strict=True))
            del fields["principal"], fields["key"]
            fields["metadata"] = orjson.loads(fields["metadata"])
            self.state.payments.setdefault(fields["id"], PaymentState(**fields))

    def later(self, **span: float) -> None:
        self.state.now += timedelta(**span)

    def money(self, wallet: UUID) -> tuple[int, int]:
        """Balance and held, in minor units."""
        account = self.state.accounts[wallet]
        return account.balance, account.held


_keys = count(1)


def _common(more: dict[str, Any]) -> dict[str, Any]:
    key = more.pop("key", f"key-{next(_keys)}")
    usual = {"principal": CLIENT, "key": key, "fingerprint": b"f", "request_id": "req", "traceparent": "trace"}
    return usual | more


def move(amount: str = "10.00", sender: UUID | None = ANN, receiver: UUID | None = BOB, **more: Any) -> asked.Move:
    usual = {"kind": "transfer", "description": "words", "metadata": {"order": "7"}}
    return asked.Move(sender_id=sender, receiver_id=receiver, amount=Decimal(amount), **_common(usual | more))


def hold(amount: str = "10.00", **more: Any) -> asked.Move:
    return move(amount, **({"kind": "authorization", "expires_in": 600} | more))


def act(verb: type[asked.Act], payment: UUID, amount: str | None = None, **more: Any) -> Any:
    fields = _common({"payment_id": payment, "amount": None if amount is None else Decimal(amount)} | more)
    return verb(**fields)


def body(outcome: Outcome) -> dict[str, Any]:
    return dict(orjson.loads(outcome.body))


def id_of(outcome: Outcome) -> UUID:
    return UUID(body(outcome)["id"])


def only(outcomes: list[Outcome]) -> Outcome:
    [outcome] = outcomes
    return outcome


def declined(world: World, command: asked.Command) -> tuple[dict[str, Any], str]:
    before = {account.id: (account.balance, account.held, account.seq) for account in world.state.accounts.values()}
    outcome = only(world.do(command))
    assert {a.id: (a.balance, a.held, a.seq) for a in world.state.accounts.values()} == before
    problem = body(outcome)
    [row], [failure], [key] = world.plan.payments, world.plan.failures, world.plan.keys
    assert (row[2], str(row[0]), key[5]) == ("FAILED", problem["payment_id"], row[0])
    assert (failure[0], failure[1], failure[3], failure[4]) == (row[0], problem["code"], problem["detail"], NOW)
    assert (key[3], key[4]) == (outcome.status, outcome.body)
    fact = world.plan.facts[-1]
    assert (fact.type, fact.subject, fact.data["failure"]["code"]) == ("payment.failed", row[0], problem["code"])
    assert fact.data["failure"] == {"code": failure[1], "category": failure[2], "detail": failure[3]}
    assert row[15:] == (None, None)
    assert (world.plan.journal.transactions, world.plan.changed) == ([], {})
    return problem, failure[2]


def refused(world: World, command: asked.Command, **members: str) -> dict[str, Any]:
    problem, category = declined(world, command)
    assert (problem["code"], problem["status"], category) == ("invalid_state", 409, "client")
    assert {name: problem[name] for name in members} == members
    return problem
