"""
The palette (Ctrl-K): from an id, a key, a name or a word to its page.

Everything is looked up by an index: ids, idempotency keys and request ids as they are, names also by their beginning.
A prefix (``p:``, ``w:``, ...) asks for one kind only. A result says what it is, never how it stands: that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model, QuerySet
from django.urls import reverse
from unfold.dataclasses import SearchResult

from events.models import Event
from ledger.models import Account, Asset, Entry, IdempotencyKey, Transaction
from ops.navigation import SECTIONS, addresses
from payments.models import Payment
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import Client, User
from wallets.models import Wallet

MOST = 5
LONGEST = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """A term, the id that it is, and what the requests made that had it for an idempotency key."""

    term: str
    id: UUID | None
    keyed: list[UUID]


@dataclass(frozen=True, slots=True)
class Kind:
    """``find`` returns the rows that are asked for, each with what to call it; ``right`` is needed to see them."""

    prefix: str
    title: str
    icon: str
    right: str
    find: Callable[[Asked], Iterator[tuple[Model, str]]]


def find(user: User, term: str) -> list[SearchResult]:
    """Return what the person may see of what the term names: pages first, then at most ``MOST`` of each kind."""
    term = term.replace("\0", "").strip()[:LONGEST]
    if not term:
        return []
    prefix, found, rest = term.partition(":")
    chosen = [kind for kind in KINDS if found and kind.prefix == prefix.strip().lower()]
    if chosen:
        term = rest.strip()
    results = [] if chosen else list(_pages(user, term))
    if term:
        asked = Asked(term, _id(term), _keyed(term))
        for kind in chosen or KINDS:
            if user.has_perm(kind.right):
                results += [_result(kind, row, name) for row, name in islice(kind.find(asked), MOST)]
    return results


def _pages(user: User, term: str) -> Iterator[SearchResult]:
    known, word = addresses(), term.lower()
    for title, icon, page, query, rights in [*_COMMANDS, *_every_page()]:
        if word in title.lower() and page in known and (not rights or any(map(user.has_perm, rights))):
            link = reverse(f"admin:{page}") + (f"?{urlencode(query)}" if query else "")
            yield SearchResult(title=title, description="Go to", link=link, icon=icon)


def _every_page() -> Iterator[tuple[str, str, str, dict[str, str], tuple[str, ...]]]:
    for section, pages in SECTIONS:
        for title, icon, page, rights in pages:
            yield (f"{section}: {title}" if section else title), icon, page, {}, rights


_COMMANDS: list[tuple[str, str, str, dict[str, str], tuple[str, ...]]] = [
    ("Run reconciliation", "balance", "ops_reconciliationrun_changelist", {}, ("ops.run_reconciliation",)),
    ("Approvals that wait", "approval", "ops_approval_changelist", {}, ("ops.view_approval", "ops.propose_approval")),
    (
        "Failed payments of the last 24 hours", "troubleshoot", "payments_payment_changelist",
        {"status": "FAILED", "window": "24h"}, ("payments.view_payment",),
    ),
    ("Suspended wallets", "block", "wallets_wallet_changelist", {"status": "SUSPENDED"}, ("wallets.view_wallet",)),
]  # fmt: skip


def _result(kind: Kind, row: Model, name: str) -> SearchResult:
    options = row._meta
    link = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    return SearchResult(title=name, description=kind.title, link=link, icon=kind.icon)


def _by_pk(model: type[Model]) -> Callable[[Asked], Iterator[tuple[Model, str]]]:
    def look(asked: Asked) -> Iterator[tuple[Model, str]]:
        if asked.id:
            for row in model._default_manager.filter(pk=asked.id):
                yield row, str(row.pk)

    return look


def _wallets(asked: Asked) -> Iterator[tuple[Wallet, str]]:
    if asked.id:
        found = Wallet.objects.filter(pk__in=[asked.id, *asked.keyed]) | Wallet.objects.filter(user_id=asked.id)
    else:
        users = _named(User, "username", asked.term).values_list("pk", flat=True)
        found = Wallet.objects.filter(pk__in=asked.keyed) | Wallet.objects.filter(user_id__in=list(users))
    for wallet in found.order_by("-pk")[:MOST]:
        yield wallet, f"{wallet.asset_id} wallet {wallet.label or wallet.pk}"


def _payments(asked: Asked) -> Iterator[tuple[Payment, str]]:
    # Looked up for an id, too: a request's id may look like one.
    told = Event.objects.filter(correlation_id=asked.term, type__startswith="payment.").order_by("-position")
    ids = [*filter(None, [asked.id]), *told.values_list("subject", flat=True)[: MOST * 4], *asked.keyed]
    for payment in Payment.objects.filter(pk__in=ids).order_by("-pk")[:MOST]:
        yield payment, f"{payment.get_kind_display()} {payment.pk}"


def _accounts(asked: Asked) -> Iterator[tuple[Account, str]]:
    if asked.id:
        for account in Account.objects.filter(pk=asked.id).exclude(kind=Account.Kind.WALLET):
            yield account, f"{account.get_kind_display()} account of {account.asset_id}"


def _assets(asked: Asked) -> Iterator[tuple[Asset, str]]:
    if not asked.id:
        for asset in Asset.objects.filter(code=asked.term.upper()):
            yield asset, f"{asset.name} ({asset.code})"


def _users(asked: Asked) -> Iterator[tuple[User, str]]:
    for user in User.objects.filter(pk=asked.id) if asked.id else _named(User, "username", asked.term):
        yield user, user.username


def _clients(asked: Asked) -> Iterator[tuple[Client, str]]:
    for client in Client.objects.filter(pk=asked.id) if asked.id else _named(Client, "name", asked.term):
        yield client, client.name


def _requests(asked: Asked) -> Iterator[tuple[AuditEntry, str]]:
    for entry in AuditEntry.objects.filter(request_id=asked.term).order_by("-id")[:MOST]:
        yield entry, f"{entry.action.replace('.', ' ').replace('_', ' ')}, {entry.at:%Y-%m-%d %H:%M:%S}"


def _keyed(term: str) -> list[UUID]:
    """What the requests with an idempotency key made."""
    return list(IdempotencyKey.objects.filter(key=term).values_list("resource_id", flat=True)[:MOST])


def _named(model: type[Any], field: str, term: str) -> QuerySet[Any]:
    found: QuerySet[Any] = model._default_manager.filter(**{f"{field}__startswith": term}).order_by(field)
    return found[:MOST]


def _id(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None


KINDS = [
    Kind("p", "Payment: id, idempotency key or request", "payments", "payments.view_payment", _payments),
    Kind("w", "Wallet: id, user or user's name", "wallet", "wallets.view_wallet", _wallets),
    Kind("tx", "Transaction", "receipt_long", "ledger.view_transaction", _by_pk(Transaction)),
    Kind("e", "Entry", "format_list_numbered", "ledger.view_entry", _by_pk(Entry)),
    Kind("a", "Account", "account_balance", "ledger.view_account", _accounts),
    Kind("asset", "Asset", "paid", "ledger.view_asset", _assets),
    Kind("u", "User", "person", "identity.view_user", _users),
    Kind("c", "API client", "key", "identity.view_client", _clients),
    Kind("r", "Audit trail: request", "policy", "audit.view_auditentry", _requests),
]
