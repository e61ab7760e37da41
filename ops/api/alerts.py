"""``/alerts``: what is wrong now and was, and that somebody looks after it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter

from ledger.idempotency import KeyedRequest
from ledger.keyed import Answer, once
from ops.alerts.handling import acknowledge
from ops.alerts.models import Alert, Severity
from ops.alerts.types import TYPES
from ops.api.alert_serializers import AcknowledgeRequest, AlertAnswer, AlertPage
from ops.approvals.refusing import Refused
from walletplatform.api.fields import StrictSerializer, validated
from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.pagination import page_of
from walletplatform.api.problems import Problem
from walletplatform.api.query import choice_parameter
from walletplatform.api.responses import json_response, stored_response
from walletplatform.api.schema import KEY_HEADER, PAGED, operation
from walletplatform.api.times import time_text
from walletplatform.api.views import ApiView
from walletplatform.audit.actors import of_principal

ACKNOWLEDGE = AcknowledgeRequest()
KEYS = ["idempotency_key_invalid", "idempotency_key_reused", "idempotency_in_progress"]
FILTERS = {"state": Alert.State.values, "severity": Severity.values, "type": list(TYPES)}


class AlertApiView(ApiView):
    """For client systems; one that is bound to assets sees what is about these, and nothing of the platform."""

    def visible(self) -> QuerySet[Alert]:
        if self.principal.is_user:
            raise Problem("forbidden", "Alerts are for client systems.")
        alerts = Alert.objects.all()
        return alerts if self.principal.assets is None else alerts.filter(asset__in=self.principal.assets)

    def read(self, request: HttpRequest, serializer: StrictSerializer) -> tuple[dict[str, Any], KeyedRequest | None]:
        """Return a POST's fields, and the key under which it is done once."""
        raw = self.body(request)
        fields = validated(serializer, raw)
        key = idempotency_key(request, required=False)
        return fields, KeyedRequest(self.principal.id, key, fingerprint("POST", request.path, raw)) if key else None


class AlertsView(AlertApiView):
    scopes = {"GET": "ops:read"}
    parameters = {"GET": frozenset({*FILTERS, "limit", "cursor"})}

    @operation(
        "List alerts, newest first",
        answer=AlertPage,
        parameters=[*PAGED, *(OpenApiParameter(name, str, enum=offered) for name, offered in FILTERS.items())],
        description="A client that is bound to assets sees the alerts that are about these.",
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        found = self.visible().order_by("-pk")
        given = {name: choice_parameter(request.GET, name, offered) for name, offered in FILTERS.items()}
        filters = {name: value for name, value in given.items() if value is not None}
        page = page_of(request.GET, principal=self.principal.id, path=request.path, filters=filters)
        found = found.filter(**filters)
        if page.after is not None:
            found = found.filter(pk__lt=page.after)
        return json_response(page.answer(list(found[: page.fetch]), represent, lambda alert: alert.pk))


class AlertView(AlertApiView):
    scopes = {"GET": "ops:read"}

    @operation("Get an alert", answer=AlertAnswer, problems=["not_found"])
    def get(self, request: HttpRequest, alert_id: UUID) -> HttpResponse:
        alert = self.visible().filter(pk=alert_id).first()
        if alert is None:
            raise _unknown()
        return json_response(represent(alert))


class AcknowledgeView(AlertApiView):
    scopes = {"POST": "ops:write"}

    @operation(
        "Acknowledge an alert",
        request=AcknowledgeRequest,
        answer=AlertAnswer,
        problems=["not_found", "invalid_state", *KEYS],
        parameters=[KEY_HEADER],
        example={"note": "We are looking into it"},
        description="Somebody looks after it: it is not escalated. `invalid_state`: it is acknowledged or resolved.",
    )
    def post(self, request: HttpRequest, alert_id: UUID) -> HttpResponse:
        found = self.visible()
        fields, keyed = self.read(request, ACKNOWLEDGE)

        def act() -> Answer:
            if not found.filter(pk=alert_id).exists():
                raise _unknown()
            try:
                by = of_principal(self.principal)
                alert = acknowledge(by=by, alert_id=alert_id, reason=fields.get("note", ""))
            except Refused as refusal:
                state = found.values_list("state", flat=True).get(pk=alert_id)
                raise Problem("invalid_state", refusal.detail, current_state=state) from refusal
            return Answer(200, orjson.dumps(represent(alert)), alert.pk)

        answer = once(keyed, act)
        return stored_response(status=answer.status, body=answer.body, replayed=answer.replayed)


def represent(alert: Alert) -> dict[str, Any]:
    """Return an alert as the API shows it."""
    times = ("first_seen", "last_seen", "muted_until", "acknowledged_at", "resolved_at")
    return {
        "id": str(alert.pk),
        "config_id": str(alert.configuration_id) if alert.configuration_id else None,
        "type": alert.type,
        "severity": alert.severity,
        "state": alert.state,
        "title": alert.title,
        "occurrences": alert.occurrences,
        "owner": alert.owner_name or None,
        **{
            name: getattr(alert, name) or None
            for name in (
                "detail", "asset", "subject_type", "subject_id", "value", "threshold", "acknowledged_by", "resolved_by",
                "classification",
            )
        },
        **{name: time_text(moment) if (moment := getattr(alert, name)) else None for name in times},
    }  # fmt: skip


def _unknown() -> Problem:
    return Problem("not_found", "There is no such alert.")
