"""``/payments`` and ``/transactions``: make a payment, find payments and what they posted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from ledger.models import Entry, Transaction
from ledger.money import to_text
from ledger.representation import represent_transaction
from payments.api.money import DRY_RUN, PROBLEMS
from payments.api.moving import TRANSFER, MoveView
from payments.api.serializers import LedgerAnswer, PaymentAnswer, PaymentPage, TransferRequest
from payments.listing import Filters, in_order, payment_ids
from payments.models import Payment
from payments.representation import represent_row
from payments.visibility import get_payment
from walletplatform.api.pagination import Page, page_of
from walletplatform.api.problems import Problem, invalid
from walletplatform.api.query import choice_parameter, id_parameter, time_parameter
from walletplatform.api.responses import json_response
from walletplatform.api.schema import KEY_HEADER, PAGED, operation
from walletplatform.api.views import ApiView
from walletplatform.identity.principal import Principal
from wallets.api.serializers import TransactionAnswer, TransactionPage
from wallets.api.views import get_wallet
from wallets.visibility import visible_wallets

FILTER_NAMES = frozenset({"wallet_id", "parent_id", "status", "kind", "created_from", "created_to", "limit", "cursor"})
FILTER_PARAMETERS = [
    OpenApiParameter("wallet_id", str, description="Sent from or received by this wallet."),
    OpenApiParameter("parent_id", str, description="What came of this payment: captures, refunds, changes."),
    OpenApiParameter("status", str, enum=Payment.Status.values),
    OpenApiParameter("kind", str, enum=Payment.Kind.values),
    OpenApiParameter("created_from", OpenApiTypes.DATETIME, description="RFC 3339, inclusive."),
    OpenApiParameter("created_to", OpenApiTypes.DATETIME, description="RFC 3339, exclusive."),
    *PAGED,
]
TRANSFER_EXAMPLE = {
    "sender_wallet_id": "01939f3e-5f1c-7d3a-8b52-5a2f3c1d9e77",
    "receiver_wallet_id": "01939f3e-6a20-7c11-9f0e-3b6d8e2a4c55",
    "amount": "12.50",
    "description": "Order 1001",
}


class PaymentsView(MoveView):
    kind = "transfer"
    serializer = TRANSFER
    scopes = {"GET": "payments:read", "POST": "payments:write"}
    parameters = {"GET": FILTER_NAMES, **MoveView.parameters}

    @operation("List payments, newest first", answer=PaymentPage, parameters=FILTER_PARAMETERS)
    def get(self, request: HttpRequest) -> HttpResponse:
        page, ids = find_page(request, self.principal)
        payments = in_order(ids)
        return json_response(page.answer(payments, represent_row, lambda payment: payment.id))

    @operation(
        "Pay from one wallet to another, or hold the amount",
        request=TransferRequest,
        answer=PaymentAnswer,
        status=201,
        problems=PROBLEMS,
        parameters=[KEY_HEADER, DRY_RUN],
        example=TRANSFER_EXAMPLE,
        description="201; or 202 and CREATED where the operator's policy wants somebody to decide first.",
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.move(request)


class PaymentView(ApiView):
    scopes = {"GET": "payments:read"}

    @operation("Get a payment", answer=PaymentAnswer, problems=["not_found"])
    def get(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return json_response(represent_row(get_payment(self.principal, payment_id)))


class TransactionsView(ApiView):
    scopes = {"GET": "payments:read"}
    parameters = {"GET": FILTER_NAMES}

    @operation("List posted transactions, newest first", answer=TransactionPage, parameters=FILTER_PARAMETERS)
    def get(self, request: HttpRequest) -> HttpResponse:
        page, ids = find_page(request, self.principal, only_posted=True)
        found = Transaction.objects.in_bulk(ids)
        transactions = [found[transaction_id] for transaction_id in ids if transaction_id in found]
        return json_response(page.answer(transactions, represent_transaction, lambda t: t.id))


class TransactionView(ApiView):
    scopes = {"GET": "payments:read"}

    @operation("Get a posted transaction", answer=TransactionAnswer, problems=["not_found"])
    def get(self, request: HttpRequest, transaction_id: UUID) -> HttpResponse:
        return json_response(represent_transaction(get_transaction(self.principal, transaction_id)))


class TransactionLedgerView(ApiView):
    scopes = {"GET": "payments:read"}

    @operation(
        "Get a transaction's entries",
        answer=LedgerAnswer,
        problems=["not_found"],
        description="Both sides of the posting. Of others' wallets an end user sees no balance.",
    )
    def get(self, request: HttpRequest, transaction_id: UUID) -> HttpResponse:
        transaction = get_transaction(self.principal, transaction_id)
        entries = list(transaction.entries.select_related("account__asset").order_by("leg"))
        own = visible_wallets(self.principal).filter(pk__in=[entry.account_id for entry in entries])
        shown = set(own.values_list("pk", flat=True)) if self.principal.is_user else None
        return json_response(
            {
                "transaction": represent_transaction(transaction),
                "entries": [_represent_leg(e, shown is None or e.account_id in shown) for e in entries],
            }
        )


def find_page(request: HttpRequest, principal: Principal, *, only_posted: bool = False) -> tuple[Page, list[UUID]]:
    """
    Read a list's filters and return its page with the ids on it (one more, where there are more).

    ``only_posted``: of the payments that posted a transaction.

    :raises Problem: ``validation_error``; ``not_found`` for a wallet that the principal may not see
    """
    query = request.GET
    given = {
        "wallet_id": id_parameter(query, "wallet_id"),
        "parent_id": id_parameter(query, "parent_id"),
        "kind": choice_parameter(query, "kind", Payment.Kind.values),
        "status": choice_parameter(query, "status", Payment.Status.values),
        "created_from": time_parameter(query, "created_from"),
        "created_to": time_parameter(query, "created_to"),
    }
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    page = page_of(query, principal=principal.id, path=request.path, filters=chosen)
    if "wallet_id" in chosen:
        get_wallet(principal, chosen["wallet_id"])
    if "parent_id" in chosen:
        _see_parent(principal, chosen)
    if only_posted and chosen.setdefault("status", "SETTLED") != "SETTLED":
        return page, []
    after = UUID(page.after) if page.after is not None else None
    filters = Filters(**chosen, only_posted=only_posted)
    return page, payment_ids(principal=principal, filters=filters, after=after, limit=page.fetch)


def _see_parent(principal: Principal, chosen: dict[str, Any]) -> None:
    """
    Refuse the children of a payment that the principal may not see, and filters that contradict each other.

    :raises Problem: ``not_found``, ``validation_error``
    """
    if "wallet_id" in chosen:
        raise invalid("/parent_id", "contradiction", "Filter by a parent or by a wallet, not by both.")
    get_payment(principal, chosen["parent_id"])


def get_transaction(principal: Principal, transaction_id: UUID) -> Transaction:
    """
    Return a transaction whose payment the principal may see.

    :raises Problem: ``not_found``
    """
    transaction = Transaction.objects.filter(id=transaction_id).first()
    if transaction is None:
        raise Problem("not_found", "There is no such transaction.")
    get_payment(principal, transaction_id)
    return transaction


def _represent_leg(entry: Entry, with_balance: bool) -> dict[str, Any]:
    account = entry.account
    scale = account.asset.scale
    return {
        "id": entry.id,
        "leg": entry.leg,
        "wallet_id": account.id if account.kind == "wallet" else None,
        "account_kind": account.kind,
        "asset": account.asset_id,
        "direction": entry.direction,
        "amount": to_text(entry.amount, scale),
        "seq": entry.seq if with_balance else None,
        "balance_before": to_text(entry.balance_before, scale) if with_balance else None,
        "balance_after": to_text(entry.balance_after, scale) if with_balance else None,
    }
