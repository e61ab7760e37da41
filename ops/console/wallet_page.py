"""A wallet's page: whose it is and what is in it, what moved and is held, what was done to it, whether it adds up."""

from __future__ import annotations

from typing import Any

from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from ledger.admin import account_link, badge, identifier, link, listed, money, shortened
from ledger.console.probing import HIGHEST, LOWEST, probing
from ledger.models import Entry, Transaction
from ops.alerts.models import Alert
from ops.allowances import what_it_may
from ops.console.requests import requests_about
from ops.console.timelines import Moment, of_audit, of_events
from payments.admin import STATUS_COLOURS as PAYMENT_COLOURS
from payments.models import Payment
from wallets.admin import STATUS_COLOURS
from wallets.models import Wallet

SHOWN = 10
KINDS: dict[str, str] = dict(Payment.Kind.choices)


class WalletPage:
    """Mixed into the wallets' ``ModelAdmin``; its fields come below."""

    change_form_outer_before_template = "admin/wallet.html"

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context["page"] = wallet_page(context["original"], sees_audit=request.user.has_perm("audit.view_auditentry"))
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc,no-any-return]


def wallet_page(wallet: Any, *, sees_audit: bool) -> dict[str, Any]:
    """Return what the template shows of a wallet (as ``WalletAdmin.get_queryset`` reads it)."""
    account = wallet.account
    latest, held = _payments(wallet)
    entries = list(Entry.objects.filter(account_id=wallet.pk).select_related("transaction").order_by("-seq")[:SHOWN])
    return {
        "id": wallet.pk,
        "status": badge(wallet.get_status_display(), STATUS_COLOURS[wallet.status]),
        "owner": listed(Wallet, wallet.owner_name or str(wallet.user_id), q=wallet.user_id),
        "label": wallet.label,
        "balance": money(account.balance, wallet.asset),
        "available": money(account.balance - account.held, wallet.asset),
        "held": money(account.held, wallet.asset),
        "allowed": what_it_may(wallet),
        "requests": requests_about(wallet.pk),
        "alerts": _alerts(wallet),
        "entries": [_entry(wallet, entry) for entry in entries],
        "all_entries": listed(Entry, "All entries", account=wallet.pk),
        "payments": [_payment(wallet, one) for one in latest],
        "all_payments": listed(Payment, "All payments", wallet=wallet.pk),
        "holds": [_hold(wallet, one) for one in held],
        "moments": _moments(wallet, sees_audit),
        "integrity": _integrity(wallet, entries[0] if entries else None),
    }


def _alerts(wallet: Wallet) -> list[dict[str, Any]]:
    """The alerts about it that are not over: among those few, which have an index of their own."""
    about = Alert.objects.exclude(state=Alert.State.RESOLVED).filter(subject_type="wallet", subject_id=str(wallet.pk))
    return [{"link": link(Alert, one.pk, one.title), "state": one.get_state_display()} for one in about[:SHOWN]]


def _entry(wallet: Wallet, entry: Entry) -> dict[str, Any]:
    sign = "+" if entry.direction == Entry.Direction.CREDIT else "−"  # noqa: RUF001 (a minus, as people write it)
    return {
        "at": entry.transaction.booked_at,
        "what": link(Transaction, entry.transaction_id, KINDS.get(entry.transaction.kind, entry.transaction.kind)),
        "amount": f"{sign}{money(entry.amount, wallet.asset)}",
        "after": money(entry.balance_after, wallet.asset),
    }


def _payments(wallet: Wallet) -> tuple[list[Payment], list[Payment]]:
    """Return the latest payments, in and out, failed ones too, and the latest that are held: in one question."""
    anything: dict[str, Any] = {"kind": Payment.Kind.values, "status": Payment.Status.values}
    sides = [{side: [wallet.pk]} | anything for side in ("sender", "receiver")]
    held = {"sender": [wallet.pk], "kind": [Payment.Kind.AUTHORIZATION], "status": [Payment.Status.AUTHORIZED]}
    (latest, first), (holds, second) = (
        probing(Payment, asked, low=LOWEST, high=HIGHEST, limit=SHOWN, falling=True) for asked in (sides, [held])
    )
    ids = RawSQL(f"({latest}) UNION ({holds})", [*first, *second])  # noqa: S611 (values are parameters)
    found = list(Payment.objects.filter(pk__in=ids).select_related("sender", "receiver").order_by("-id"))
    is_held = [one for one in found if one.status == Payment.Status.AUTHORIZED and one.sender_id == wallet.pk]
    return found[:SHOWN], is_held[:SHOWN]


def _payment(wallet: Wallet, payment: Payment) -> dict[str, Any]:
    out = payment.sender_id == wallet.pk
    return {
        "at": payment.created_at,
        "id": identifier(Payment, payment.pk),
        "kind": payment.get_kind_display(),
        "status": badge(payment.get_status_display(), PAYMENT_COLOURS[payment.status]),
        "way": "out, to" if out else "in, from",
        "other": account_link(payment.receiver if out else payment.sender),
        "amount": money(payment.amount, wallet.asset),
    }


def _hold(wallet: Wallet, payment: Payment) -> dict[str, Any]:
    return {
        "id": identifier(Payment, payment.pk),
        "amount": money((payment.authorized_amount or 0) - payment.captured_amount, wallet.asset),
        "expires": payment.expires_at,
        "overdue": payment.expires_at is not None and payment.expires_at < now(),
    }


def _moments(wallet: Wallet, sees_audit: bool) -> list[Moment]:
    """Newest first. Whoever may not read the audit trail is told what the log tells everybody."""
    moments = of_audit(wallet.pk) if sees_audit else of_events(wallet.pk, newest_first=True)
    if not moments or moments[-1].what != "Created":
        moments.append(Moment(wallet.created_at, "Created", "info"))
    return moments


def _integrity(wallet: Wallet, last: Entry | None) -> dict[str, Any]:
    """Whether the account's balance and number of entries are those of its last entry."""
    account = wallet.account
    balance, seq = (last.balance_after, last.seq) if last else (0, 0)
    return {
        "holds": (account.balance, account.seq) == (balance, seq),
        "stored": money(account.balance, wallet.asset),
        "entry": money(balance, wallet.asset),
        "entries": account.seq,
        "entry_seq": seq,
        "last": link(Entry, last.pk, shortened(last.pk)) if last else None,
    }
