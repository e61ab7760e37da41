"""``/alerts/config``: the rules by which alerts come about."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
from django.http import HttpRequest, HttpResponse

from ledger import clock
from ledger.keyed import Answer, once
from ops.alerts import configuring
from ops.alerts.configuring import Invalid, change_rule, create_rule, send_test
from ops.alerts.doubts import doubts
from ops.alerts.models import AlertConfiguration
from ops.alerts.preview import preview
from ops.alerts.types import TYPES
from ops.api.alert_serializers import (
    ChangedConfigRequest,
    ConfigAnswer,
    ConfigPage,
    DoubtedConfigAnswer,
    NewConfigRequest,
    NothingRequest,
    TestAnswer,
)
from ops.api.alerts import KEYS, AlertApiView
from ops.approvals.refusing import Refused
from walletplatform.api.fields import validated
from walletplatform.api.pagination import page_of
from walletplatform.api.problems import Problem
from walletplatform.api.responses import json_response, stored_response
from walletplatform.api.schema import KEY_HEADER, PAGED, operation
from walletplatform.api.times import time_text
from walletplatform.audit.actors import of_principal

NEW, CHANGED, NOTHING = NewConfigRequest(), ChangedConfigRequest(), NothingRequest()
EXAMPLE = {
    "type": "failure_rate", "name": "Euros fail", "threshold": "25", "severity": "critical", "window_minutes": 15,
    "minimum_volume": 50, "asset": "EUR", "recipients": ["on-call@example.com"],
}  # fmt: skip
DOUBTS = "`warnings` say where a rule can never fire, always fires, or tells nobody; it is kept all the same."


class ConfigApiView(AlertApiView):
    """Rules are about the whole platform: who may not see all assets may not see them."""

    def check_principal(self) -> None:
        if self.principal.is_user or self.principal.assets is not None:
            raise Problem("forbidden", "Alert rules are for client systems that see every asset.")


class ConfigsView(ConfigApiView):
    scopes = {"GET": "ops:read", "POST": "ops:write"}
    parameters = {"GET": frozenset({"limit", "cursor"})}

    @operation("List alert rules, newest first", answer=ConfigPage, parameters=PAGED)
    def get(self, request: HttpRequest) -> HttpResponse:
        self.check_principal()
        page = page_of(request.GET, principal=self.principal.id, path=request.path, filters={})
        found = AlertConfiguration.objects.order_by("-pk")
        if page.after is not None:
            found = found.filter(pk__lt=page.after)
        return json_response(page.answer(list(found[: page.fetch]), represent, lambda rule: rule.pk))

    @operation(
        "Make an alert rule",
        request=NewConfigRequest,
        answer=DoubtedConfigAnswer,
        status=201,
        problems=KEYS,
        parameters=[KEY_HEADER],
        example=EXAMPLE,
        description=f"It is evaluated every five minutes. {DOUBTS}",
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        self.check_principal()
        fields, keyed = self.read(request, NEW)
        given = {name: value for name, value in fields.items() if name != "type"}

        def act() -> Answer:
            try:
                rule = create_rule(by=of_principal(self.principal), type=fields["type"], given=given)
            except Invalid as invalid:
                raise _problem(invalid) from invalid
            return Answer(201, orjson.dumps(_doubted(rule)), rule.pk)

        answer = once(keyed, act)
        return stored_response(status=answer.status, body=answer.body, replayed=answer.replayed)


class ConfigView(ConfigApiView):
    scopes = {"GET": "ops:read", "PATCH": "ops:write"}

    @operation("Get an alert rule", answer=ConfigAnswer, problems=["not_found"])
    def get(self, request: HttpRequest, config_id: UUID) -> HttpResponse:
        self.check_principal()
        rule = AlertConfiguration.objects.filter(pk=config_id).first()
        if rule is None:
            raise _unknown()
        return json_response(represent(rule))

    @operation(
        "Change an alert rule",
        request=ChangedConfigRequest,
        answer=DoubtedConfigAnswer,
        problems=["not_found"],
        example={"enabled": False},
        description=f"What is left out stays. Switched off, its open alerts end. {DOUBTS}",
    )
    def patch(self, request: HttpRequest, config_id: UUID) -> HttpResponse:
        self.check_principal()
        given = validated(CHANGED, self.body(request))
        try:
            rule = change_rule(by=of_principal(self.principal), rule_id=config_id, given=given)
        except Invalid as invalid:
            raise _problem(invalid) from invalid
        except Refused as refusal:
            raise _unknown() from refusal
        return json_response(_doubted(rule))


class ConfigTestView(ConfigApiView):
    scopes = {"POST": "ops:write"}

    @operation(
        "Send a test of an alert rule",
        request=NothingRequest,
        answer=TestAnswer,
        status=202,
        problems=["not_found", "invalid_state", *KEYS],
        parameters=[KEY_HEADER],
        example={},
        description="To everybody whom the rule tells. `invalid_state`: that is nobody.",
    )
    def post(self, request: HttpRequest, config_id: UUID) -> HttpResponse:
        self.check_principal()
        _, keyed = self.read(request, NOTHING)

        def act() -> Answer:
            try:
                sent = send_test(by=of_principal(self.principal), rule_id=config_id)
            except Refused as refusal:
                raise (_unknown() if refusal.code == "not_found" else _nobody(refusal)) from refusal
            return Answer(202, orjson.dumps({"addresses": [one.address for one in sent]}), config_id)

        answer = once(keyed, act)
        return stored_response(status=answer.status, body=answer.body, replayed=answer.replayed)


def represent(rule: AlertConfiguration) -> dict[str, Any]:
    """Return a rule as the API shows it."""
    shown = configuring.represent(rule)
    known = TYPES.get(rule.type)
    muted_until = time_text(rule.muted_until) if rule.muted_until else None
    more = {"id": str(rule.pk), "unit": known.unit if known else "", "version": rule.version}
    return shown | more | {"muted_until": muted_until}


def _doubted(rule: AlertConfiguration) -> dict[str, Any]:
    seen = preview(rule, clock.now())
    return represent(rule) | {"would_have_fired": seen.fired, "warnings": doubts(rule, seen)}


def _problem(invalid: Invalid) -> Problem:
    errors = [{"pointer": f"/{name}", "code": "invalid", "detail": words} for name, words in invalid.errors.items()]
    return Problem("validation_error", "The request has errors.", errors=errors)


def _unknown() -> Problem:
    return Problem("not_found", "There is no such alert rule.")


def _nobody(refusal: Refused) -> Problem:
    return Problem("invalid_state", refusal.detail)
