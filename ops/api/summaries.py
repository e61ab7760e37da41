"""``/ai/summaries``: what was told of a day, a week, a window or an incident, and another to be told."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import orjson
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter

from ledger.idempotency import KeyedRequest
from ledger.keyed import Answer, once
from ops.api.summary_serializers import NewSummaryRequest, SummaryAnswer, SummaryPage, WholeSummaryAnswer
from ops.approvals.refusing import Refused
from ops.failures.words import WORDS
from ops.summaries.budget import with_costs
from ops.summaries.models import Summary
from ops.summaries.reporting import represent, represent_whole
from ops.summaries.requesting import request_summary
from ops.summaries.windows import Window
from walletplatform.api.fields import validated
from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.pagination import page_of
from walletplatform.api.problems import Problem, invalid
from walletplatform.api.query import choice_parameter
from walletplatform.api.responses import json_response, stored_response
from walletplatform.api.schema import KEY_HEADER, PAGED, operation
from walletplatform.api.views import ApiView
from walletplatform.audit.actors import of_principal
from walletplatform.identity.principal import Principal

NEW = NewSummaryRequest()
KINDS = Summary.Kind.values


class ApiSummaryView(ApiView):
    """A summary is of all assets: who may not see all of them may not see it."""

    def check_principal(self) -> None:
        if self.principal.is_user or self.principal.assets is not None:
            raise Problem("forbidden", "Summaries are for client systems that see every asset.")


class SummariesView(ApiSummaryView):
    scopes = {"GET": "ops:read", "POST": "ops:write"}
    parameters = {"GET": frozenset({"kind", "limit", "cursor"})}

    @operation(
        "List summaries, newest first",
        answer=SummaryPage,
        parameters=[OpenApiParameter("kind", str, enum=KINDS), *PAGED],
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        self.check_principal()
        kind = choice_parameter(request.GET, "kind", KINDS)
        given = {} if kind is None else {"kind": kind}
        page = page_of(request.GET, principal=self.principal.id, path=request.path, filters=given)
        found = Summary.objects.filter(**given).order_by("-id")
        if page.after:
            found = found.filter(id__lt=UUID(page.after))
        return json_response(page.answer(list(with_costs(found)[: page.fetch]), represent, lambda one: one.id))

    @operation(
        "Have a summary written",
        request=NewSummaryRequest,
        answer=SummaryAnswer,
        status=202,
        problems=["idempotency_key_invalid", "idempotency_key_reused", "idempotency_in_progress"],
        parameters=[KEY_HEADER],
        example={"begins_at": "2026-01-31T12:00:00Z", "ends_at": "2026-01-31T13:00:00Z", "code": "insufficient_funds"},
        description="A worker does it. Ask for the summary to see what is told.",
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        self.check_principal()
        raw = self.body(request)
        given = validated(NEW, raw)
        if (code := given.get("code", "")) and code not in WORDS:
            raise invalid("/code", "invalid", "No payment fails with this code.")
        key = idempotency_key(request, required=False)
        keyed = KeyedRequest(self.principal.id, key, fingerprint("POST", request.path, raw)) if key else None
        window = Window(given["begins_at"], given["ends_at"])
        answer = once(keyed, partial(_make, self.principal, window, code))
        return stored_response(status=answer.status, body=answer.body, replayed=answer.replayed)


class SummaryView(ApiSummaryView):
    scopes = {"GET": "ops:read"}

    @operation("Get a summary with its facts", answer=WholeSummaryAnswer, problems=["not_found"])
    def get(self, request: HttpRequest, summary_id: UUID) -> HttpResponse:
        self.check_principal()
        return json_response(represent_whole(_found(summary_id)))


def _make(principal: Principal, window: Window, code: str) -> Answer:
    try:
        made = request_summary(window=window, code=code, actor=of_principal(principal), reason="")
    except Refused as refusal:
        raise invalid("/ends_at", "invalid", refusal.detail) from None
    return Answer(202, orjson.dumps(represent(_found(made.id))), made.id)


def _found(summary_id: UUID) -> Any:
    found = with_costs(Summary.objects.filter(id=summary_id)).first()
    if found is None:
        raise Problem("not_found", "There is no such summary.")
    return found
