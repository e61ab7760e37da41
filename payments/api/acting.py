"""``POST /payments/{id}/capture`` and its like: what is done about a payment. For client systems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from payments.api.money import ACT_PROBLEMS, DRY_RUN, ActView, MoneyView
from payments.api.serializers import (
    CaptureRequest,
    ExtendRequest,
    PaymentAnswer,
    PaymentsAnswer,
    ReauthorizeRequest,
    RefundRequest,
    ReverseRequest,
    ReviewRequest,
    TogetherRequest,
    VoidRequest,
)
from payments.bundles import Bundle
from payments.commands import Act, Capture, Extend, Reauthorize, Refund, Reverse, Review, Void
from walletplatform.api.fields import StrictSerializer, validated
from walletplatform.api.schema import KEY_HEADER, operation

TOGETHER = TogetherRequest()
TOGETHER_EXAMPLE = {"payment_ids": ["01939f3e-7b11-7e52-8d01-2c4b6a8f0e13"]}


def _act(
    summary: str, body: type[StrictSerializer], *problems: str, status: int = 201, description: str | None = None
) -> Callable[[Any], Any]:
    return operation(
        summary,
        request=body,
        answer=PaymentAnswer,
        status=status,
        problems=[*ACT_PROBLEMS, *problems],
        parameters=[KEY_HEADER, DRY_RUN],
        description=description,
    )


class CaptureView(ActView):
    serializer = CaptureRequest()
    command = Capture

    @_act(
        "Capture what is held, whole or in part", CaptureRequest, "wallet_not_active", "amount_scale",
        "balance_overflow", description="Answers the capture; the authorization is its parent.",
    )  # fmt: skip
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return self.act(request, payment_id)


class VoidView(ActView):
    serializer = VoidRequest()
    command = Void

    @_act("Release what is held", VoidRequest, status=200)
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return self.act(request, payment_id)


class ExtendView(ActView):
    serializer = ExtendRequest()
    command = Extend

    @_act("Let an authorization last longer", ExtendRequest, status=200)
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return self.act(request, payment_id)


class ReauthorizeView(ActView):
    serializer = ReauthorizeRequest()
    command = Reauthorize

    @_act(
        "Raise or lower an authorization", ReauthorizeRequest, "wallet_not_active", "insufficient_funds",
        "limit_exceeded", "amount_scale",
        description="Answers the change, a payment of its own; the authorization is its parent.",
    )  # fmt: skip
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return self.act(request, payment_id)


class RefundView(ActView):
    serializer = RefundRequest()
    command = Refund

    @_act(
        "Give back what was captured, whole or in part", RefundRequest, "wallet_not_active",
        "insufficient_funds", "amount_scale", "balance_overflow",
    )  # fmt: skip
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return self.act(request, payment_id)


class ReverseView(ActView):
    scopes = {"POST": "ops:write"}
    serializer = ReverseRequest()
    command = Reverse

    @_act(
        "Undo a payment as a whole, once", ReverseRequest, "wallet_not_active", "insufficient_funds",
        "balance_overflow",
    )  # fmt: skip
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return self.act(request, payment_id)


class ReviewView(ActView):
    scopes = {"POST": "ops:write"}
    serializer = ReviewRequest()
    command = Review

    @_act(
        "Decide about a payment under review", ReviewRequest, status=200,
        description="Answers the payment. Approved, and no longer possible, it is FAILED for that reason.",
    )  # fmt: skip
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return self.act(request, payment_id)


class TogetherView(MoneyView):
    """The same act on several payments: on all, or on none."""

    scopes = {"POST": "payments:write"}
    command: type[Act]
    status: int

    def act(self, request: HttpRequest) -> HttpResponse:
        self.only_clients()
        raw = self.body(request)
        ids = validated(TOGETHER, raw)["payment_ids"]
        asked = self.asked(request, raw)
        commands = [self.command(payment_id=one, **asked, keeps_key=False) for one in ids]
        bundle = Bundle(
            **asked, commands=commands, after=[None] * len(ids), atomic=True, pointer="/payment_ids", status=self.status
        )
        return self.run_bundle(request, bundle, kinds=[self.command.kind] * len(ids))


def _together(summary: str, status: int, *problems: str) -> Callable[[Any], Any]:
    return operation(
        summary,
        request=TogetherRequest,
        answer=PaymentsAnswer,
        status=status,
        problems=[*ACT_PROBLEMS, *problems],
        parameters=[KEY_HEADER, DRY_RUN],
        example=TOGETHER_EXAMPLE,
        description="All or none: errors names the first one that was refused.",
    )


class CapturesView(TogetherView):
    command = Capture
    status = 201

    @_together("Capture several authorizations together", 201, "wallet_not_active", "balance_overflow")
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.act(request)


class VoidsView(TogetherView):
    command = Void
    status = 200

    @_together("Void several authorizations together", 200)
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.act(request)
