"""``/webhook-endpoints`` and ``/webhook-deliveries``: where events are sent, and how that went."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter

from events.api.webhook_serializers import (
    ChangedEndpointRequest,
    DeliveriesAnswer,
    DeliveryAnswer,
    DeliveryPage,
    EndpointAnswer,
    EndpointPage,
    EndpointWithSecretAnswer,
    NewEndpointRequest,
    NothingRequest,
    RangeRequest,
    WholeDeliveryAnswer,
)
from events.models import WebhookDelivery
from events.webhooks.deliveries import get_delivery, latest_deliveries, represent_whole
from events.webhooks.deliveries import represent as represent_delivery
from events.webhooks.endpoints import (
    add_endpoint,
    change_endpoint,
    endpoints_of,
    get_endpoint,
    remove_endpoint,
    represent,
    rotate_secret,
)
from events.webhooks.fanout import ping, redeliver, redeliver_range
from ledger.idempotency import KeyedRequest
from ledger.keyed import Answer
from walletplatform.api.fields import StrictSerializer, validated
from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.pagination import page_of
from walletplatform.api.problems import Problem
from walletplatform.api.query import choice_parameter, id_parameter
from walletplatform.api.responses import json_response, stored_response
from walletplatform.api.schema import KEY_HEADER, PAGED, operation
from walletplatform.api.views import ApiView

NEW, CHANGED, NOTHING, RANGE = NewEndpointRequest(), ChangedEndpointRequest(), NothingRequest(), RangeRequest()
KEYS = ["idempotency_key_invalid", "idempotency_key_reused", "idempotency_in_progress"]
EXAMPLE = {"url": "https://shop.example.com/hooks", "types": ["payment.settled"], "description": "Shipping"}


class WebhookView(ApiView):
    """For client systems: an end user has no endpoints."""

    def read(self, request: HttpRequest, serializer: StrictSerializer) -> tuple[dict[str, Any], KeyedRequest | None]:
        """Return a POST's fields, and the key under which it is done once."""
        raw = self.body(request)
        fields = validated(serializer, raw)
        key = idempotency_key(request, required=False)
        keyed = KeyedRequest(self.principal.id, key, fingerprint("POST", request.path, raw)) if key else None
        return fields, keyed

    def check_principal(self) -> None:
        if self.principal.is_user:
            raise Problem("forbidden", "Webhooks are for client systems.")


def _answer(answer: Answer) -> HttpResponse:
    return stored_response(status=answer.status, body=answer.body, replayed=answer.replayed)


class EndpointsView(WebhookView):
    scopes = {"GET": "webhooks:write", "POST": "webhooks:write"}
    parameters = {"GET": frozenset({"limit", "cursor"})}

    @operation("List webhook endpoints, newest first", answer=EndpointPage, parameters=PAGED)
    def get(self, request: HttpRequest) -> HttpResponse:
        self.check_principal()
        page = page_of(request.GET, principal=self.principal.id, path=request.path, filters={})
        found = endpoints_of(self.principal).order_by("-pk")
        if page.after is not None:
            found = found.filter(pk__lt=page.after)
        return json_response(page.answer(list(found[: page.fetch]), represent, lambda endpoint: endpoint.pk))

    @operation(
        "Send events to an address",
        request=NewEndpointRequest,
        answer=EndpointWithSecretAnswer,
        status=201,
        problems=[*KEYS, "secret_already_shown"],
        parameters=[KEY_HEADER],
        example=EXAMPLE,
        description="The events from now on, signed as Standard Webhooks says. The secret is shown here once.",
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        self.check_principal()
        fields, keyed = self.read(request, NEW)
        return _answer(add_endpoint(principal=self.principal, request=keyed, **fields))


class EndpointView(WebhookView):
    scopes = {"GET": "webhooks:write", "PATCH": "webhooks:write", "DELETE": "webhooks:write"}

    @operation("Get a webhook endpoint", answer=EndpointAnswer, problems=["not_found"])
    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        self.check_principal()
        return json_response(represent(get_endpoint(self.principal, endpoint_id)))

    @operation(
        "Change a webhook endpoint, or switch it off and on",
        request=ChangedEndpointRequest,
        answer=EndpointAnswer,
        problems=["not_found"],
        example={"enabled": True},
    )
    def patch(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        self.check_principal()
        changes = validated(CHANGED, self.body(request))
        endpoint = change_endpoint(principal=self.principal, endpoint_id=endpoint_id, changes=changes)
        return json_response(represent(endpoint))

    @operation("Remove a webhook endpoint", answer=None, status=204, problems=["not_found"])
    def delete(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        self.check_principal()
        remove_endpoint(principal=self.principal, endpoint_id=endpoint_id)
        return HttpResponse(status=204)


class RotateView(WebhookView):
    scopes = {"POST": "webhooks:write"}

    @operation(
        "Exchange an endpoint's secret",
        request=NothingRequest,
        answer=EndpointWithSecretAnswer,
        problems=[*KEYS, "not_found", "secret_already_shown"],
        parameters=[KEY_HEADER],
        description="For 24 hours both secrets sign. The new one is shown here once.",
    )
    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        self.check_principal()
        _, keyed = self.read(request, NOTHING)
        return _answer(rotate_secret(principal=self.principal, endpoint_id=endpoint_id, request=keyed))


class TestView(WebhookView):
    scopes = {"POST": "webhooks:write"}

    @operation(
        "Send a test to an endpoint",
        request=NothingRequest,
        answer=DeliveryAnswer,
        status=202,
        problems=[*KEYS, "not_found"],
        parameters=[KEY_HEADER],
        description="An event `webhook.ping`. Ask for the delivery to see how it went.",
    )
    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        self.check_principal()
        _, keyed = self.read(request, NOTHING)
        return _answer(ping(self.principal, endpoint_id, keyed))


class RedeliverRangeView(WebhookView):
    scopes = {"POST": "webhooks:write"}

    @operation(
        "Send a range of events again",
        request=RangeRequest,
        answer=DeliveriesAnswer,
        status=202,
        problems=[*KEYS, "not_found"],
        parameters=[KEY_HEADER],
        example={"first": 1, "last": 1000},
        description="What the endpoint wants of these positions, once more or for the first time.",
    )
    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        self.check_principal()
        fields, keyed = self.read(request, RANGE)
        return _answer(redeliver_range(self.principal, endpoint_id, request=keyed, **fields))


class DeliveriesView(WebhookView):
    scopes = {"GET": "webhooks:write"}
    parameters = {"GET": frozenset({"endpoint_id", "state", "limit", "cursor"})}

    @operation(
        "List webhook deliveries, newest first",
        answer=DeliveryPage,
        parameters=[
            OpenApiParameter("endpoint_id", str),
            OpenApiParameter("state", str, enum=WebhookDelivery.State.values),
            *PAGED,
        ],
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        self.check_principal()
        filters: dict[str, Any] = {
            "endpoint_id": id_parameter(request.GET, "endpoint_id"),
            "state": choice_parameter(request.GET, "state", WebhookDelivery.State.values),
        }
        given = {name: value for name, value in filters.items() if value is not None}
        page = page_of(request.GET, principal=self.principal.id, path=request.path, filters=given)
        before = UUID(page.after) if page.after is not None else None
        found = latest_deliveries(self.principal, **filters, before=before, limit=page.fetch)
        return json_response(page.answer(found, represent_delivery, lambda delivery: delivery.pk))


class DeliveryView(WebhookView):
    scopes = {"GET": "webhooks:write"}

    @operation("Get a webhook delivery with its attempts", answer=WholeDeliveryAnswer, problems=["not_found"])
    def get(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        self.check_principal()
        return json_response(represent_whole(get_delivery(self.principal, delivery_id)))


class RedeliverView(WebhookView):
    scopes = {"POST": "webhooks:write"}

    @operation(
        "Send a delivery again, now",
        request=NothingRequest,
        answer=DeliveryAnswer,
        status=202,
        problems=[*KEYS, "not_found"],
        parameters=[KEY_HEADER],
    )
    def post(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        self.check_principal()
        _, keyed = self.read(request, NOTHING)
        return _answer(redeliver(self.principal, delivery_id, keyed))
