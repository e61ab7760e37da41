"""A payment's page: how it went, what it moved, why it failed, and what belongs to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from events.models import WebhookDelivery, WebhookEndpoint
from ledger.admin import account_link, badge, identifier, link, money, postings_table
from ops.console.requests import requests_about
from ops.console.timelines import Moment, of_events
from ops.failures.words import words
from ops.models import PaymentFigure
from payments.admin import STATUS_COLOURS
from payments.models import Payment

SHOWN_CHILDREN, SHOWN_DELIVERIES = 20, 20
DELIVERY_COLOURS = {"PENDING": "info", "DELIVERED": "success", "DEAD": "danger"}


class PaymentPage:
    """Mixed into the payments' ``ModelAdmin``; its fields come below."""

    change_form_outer_before_template = "admin/payment.html"

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context["page"] = payment_page(context["original"])
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc,no-any-return]


def payment_page(payment: Any) -> dict[str, Any]:
    """Return what the template shows of a payment (as ``PaymentAdmin.get_queryset`` reads it)."""
    moments = of_events(payment.pk)
    posted = payment.status == Payment.Status.SETTLED and payment.kind != Payment.Kind.AUTHORIZATION
    return {
        "id": payment.pk,
        "kind": payment.get_kind_display(),
        "status": badge(payment.get_status_display(), STATUS_COLOURS[payment.status]),
        "amount": money(payment.amount, payment.asset),
        "sender": account_link(payment.sender),
        "receiver": account_link(payment.receiver),
        "client": payment.client_name or payment.principal_id,
        "moments": moments or [_not_in_the_log_yet(payment)],
        "postings": postings_table(payment.pk) if posted else None,
        "failure": _failure(payment),
        "parent": link(Payment, payment.parent_id) if payment.parent_id else None,
        "children": _children(payment),
        "deliveries": _deliveries([one.link_to for one in moments]),
        "requests": requests_about(payment.pk),
        "key": payment.idempotency_key,
        "request": payment.request_id,
    }


def _not_in_the_log_yet(payment: Payment) -> Moment:
    colour = STATUS_COLOURS[payment.status]
    return Moment(payment.created_at, payment.get_status_display(), colour, "The log has not taken it up yet.")


def _failure(payment: Payment) -> dict[str, Any] | None:
    failure = getattr(payment, "failure", None)
    if failure is None:
        return None
    lately = PaymentFigure.objects.filter(
        span=PaymentFigure.Span.MINUTE, begins_at__gte=now() - timedelta(hours=1), outcome="failed", code=failure.code
    )
    return {
        "code": failure.code,
        "whose": failure.get_category_display(),
        "detail": failure.detail,
        "words": words(failure.code),
        "lately": lately.aggregate(n=Sum("payments"))["n"] or 0,
    }


def _children(payment: Payment) -> list[dict[str, Any]]:
    return [
        {
            "at": child.created_at,
            "id": identifier(Payment, child.pk),
            "kind": child.get_kind_display(),
            "status": badge(child.get_status_display(), STATUS_COLOURS[child.status]),
            "amount": money(child.amount, payment.asset),
        }
        for child in payment.children.order_by("id")[:SHOWN_CHILDREN]
    ]


def _deliveries(positions: list[int | None]) -> list[dict[str, Any]]:
    """What clients' endpoints were sent of its events: by the index of each endpoint's positions."""
    if not positions:
        return []
    found = WebhookDelivery.objects.filter(endpoint__in=WebhookEndpoint.objects.all(), position__in=positions)
    return [
        {
            "id": identifier(WebhookDelivery, one.pk),
            "state": badge(one.get_state_display(), DELIVERY_COLOURS[one.state]),
            "to": one.endpoint.url,
            "attempts": one.attempts,
        }
        for one in found.select_related("endpoint").order_by("id")[:SHOWN_DELIVERIES]
    ]
