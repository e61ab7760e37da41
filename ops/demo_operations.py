"""
The second half of the demo: what the people on duty have done, and what waits for them this morning.

Everything goes through the use cases of the console. The story of the payments must have been told before.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.contrib.auth.models import Group

from events.consumers import CONSUMERS
from events.consuming import consume
from events.sequencer import sequence
from ledger import clock
from ledger.models import Entry
from ledger.money import to_text
from ops.alerts.configuring import create_rule
from ops.alerts.evaluating import evaluate
from ops.alerts.handling import acknowledge
from ops.alerts.models import Alert, Severity
from ops.approvals.deciding import approve, reject
from ops.approvals.models import Approval
from ops.approvals.proposing import propose
from ops.jobs.executing import work_off
from ops.jobs.registry import QUEUES
from ops.reconciliation.models import ReconciliationRun
from ops.reconciliation.runs import ask, execute
from ops.statements.importing import import_file
from ops.statements.models import StatementSource
from ops.statements.sources import NewSource, make_source
from ops.summaries.models import Summary
from ops.summaries.requesting import request_for_slot
from ops.summaries.writing import write
from payments.models import Payment
from walletplatform.audit.actors import of_staff
from walletplatform.identity.models import User
from walletplatform.identity.principal import staff
from wallets.lifecycle import change_status
from wallets.models import Wallet

# Each in one role; nobody can log in as one of them before they are given a password.
PEOPLE = {
    "vic": "viewer", "sam": "support", "olga": "operator", "aron": "approver", "fay": "finance", "rita": "risk",
    "alma": "auditor", "adam": "administrator",
}  # fmt: skip


def tell_operations() -> None:
    """Play it, on a ledger in which the payments' story was told just now."""
    _read_the_log()
    people = _people()
    _ask_for_approvals(people)
    _read_the_log()
    execute(_asked(ReconciliationRun.Kind.FULL))
    _import_the_banks_statement(people["fay"])
    _watch(people["rita"], people["olga"])
    for kind in (Summary.Kind.DAILY, Summary.Kind.WEEKLY):
        summary = request_for_slot(kind)
        assert summary is not None
        write(summary.pk)
    for queue in QUEUES:
        work_off(queue, seconds=60)


def _read_the_log() -> None:
    while sequence():
        pass
    while any(consume(one) for one in CONSUMERS.values()):
        pass


def _people() -> dict[str, User]:
    people = {}
    for name, role in PEOPLE.items():
        people[name] = User(username=name, is_staff=True)
        people[name].set_unusable_password()
        people[name].save()
        people[name].groups.add(Group.objects.get(name=role))
    return people


def _ask_for_approvals(people: dict[str, User]) -> None:
    """One carried out, one rejected, and three of three kinds that wait."""
    orders = _orders()
    double = propose(
        maker=people["sam"], action="payment.reverse", target_id=next(orders).pk,
        reason="The customer was charged twice for one order",
    )  # fmt: skip
    approve(checker=people["aron"], approval_id=double.pk, seen=double.payload_sha256, note="Seen both charges")
    late = _refund(people["sam"], next(orders), "The parcel came a day late, she wants everything back")
    reject(checker=people["fay"], approval_id=late.pk, note="A day late is within our terms; offer points instead")
    _refund(people["olga"], next(orders), "The article arrived broken, photographs are in the ticket")
    wallet = Wallet.objects.filter(asset_id="EUR", status=Wallet.Status.ACTIVE, label__contains="'s money").first()
    assert wallet is not None
    propose(
        maker=people["fay"], action="wallet.adjust", target_id=wallet.pk, amount=Decimal("5.00"), direction="credit",
        counter="suspense", reason="The bank's transfer of Monday was never credited",
    )  # fmt: skip
    frozen = Wallet.objects.filter(status=Wallet.Status.SUSPENDED).first()
    if frozen is None:
        frozen = Wallet.objects.filter(asset_id="GEM", status=Wallet.Status.ACTIVE).order_by("pk")[0]
        change_status(
            principal=staff(people["olga"].pk), wallet_id=frozen.pk, status=Wallet.Status.SUSPENDED,
            reason="Gems move in circles between three wallets", expected_etag="*",
        )  # fmt: skip
    propose(
        maker=people["rita"], action="wallet.activate", target_id=frozen.pk,
        reason="Looked into it: a family that shares its gems",
    )  # fmt: skip


def _orders() -> Iterator[Payment]:
    """The latest orders of the shop that nothing was given back of, whose receiver can still pay."""
    paid = Payment.objects.filter(kind="transfer", status="SETTLED", description="Order", refunded_amount=0)
    return iter(paid.filter(sender__open=True, receiver__open=True).order_by("-pk").select_related("asset")[:20])


def _refund(maker: User, payment: Payment, reason: str) -> Approval:
    amount = Decimal(to_text(payment.amount, payment.asset.scale))
    return propose(maker=maker, action="payment.refund", target_id=payment.pk, reason=reason, amount=amount)


def _import_the_banks_statement(finance: User) -> None:
    """
    What the bank tells of the last five days' top-ups: one it does not know, one of another amount, a fee of its own.
    """
    source = make_source(
        actor=of_staff(finance),
        wanted=NewSource(
            name="House bank", asset="EUR", account="treasury", format=StatementSource.Format.CSV,
            mapping={"day": "Date", "amount": "Amount", "reference": "Reference", "text": "Text"},
        ),
    )  # fmt: skip
    since = (clock.now() - timedelta(days=5)).replace(hour=0, minute=0, second=0, microsecond=0)
    entries = list(
        Entry.objects.filter(account=source.account_id, transaction__booked_at__gte=since)
        .select_related("transaction").order_by("seq")
    )  # fmt: skip
    lines = ["Date,Amount,Reference,Text"]
    for place, entry in enumerate(entries):
        if place == len(entries) // 2:
            continue  # this one has not arrived at the bank
        # What our account of the bank is debited with has come in there.
        amount = entry.amount if entry.direction == "DEBIT" else -entry.amount
        amount += 90 if place == len(entries) // 3 else 0
        lines.append(_line(entry.transaction.booked_at, amount, str(entry.transaction_id), "Card top-up"))
    lines.append(_line(clock.now() - timedelta(days=4), -490, "FEE-2026-11", "Account keeping in November"))
    content = "\n".join(lines).encode()
    import_file(actor=of_staff(finance), source=source, file_name="house-bank.csv", content=content)


def _line(day: datetime, amount: int, reference: str, text: str) -> str:
    return f"{day:%Y-%m-%d},{to_text(amount, 2)},{reference},{text}"


def _watch(risk: User, operator: User) -> None:
    """Two rules of the duty's own beside those that are there; of what they find somebody has taken one up."""
    for name, type, threshold, more in (
        ("A twentieth of a day's payments fail", "failure_rate", 5, {"severity": Severity.CRITICAL}),
        ("Pre-orders pile up", "hold_backlog", 3, {"severity": Severity.WARNING, "asset": "EUR"}),
    ):
        create_rule(
            by=of_staff(risk), type=type, reason="For the people on duty",
            given={
                "name": name, "threshold": Decimal(threshold), "window_minutes": 24 * 60,
                "recipients": ["duty@example.com"],
            } | more,
        )  # fmt: skip
    evaluate()
    first = Alert.objects.order_by("-first_seen").first()
    if first is not None:
        acknowledge(by=of_staff(operator), alert_id=first.pk, reason="Looking into it")
    evaluate()


def _asked(kind: str) -> UUID:
    run = ask(kind)
    assert run is not None
    return run.id
