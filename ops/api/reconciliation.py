"""``/reconciliation``: what the last comparison found, and another one to be made."""

from __future__ import annotations

from functools import partial

import orjson
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter

from ledger.idempotency import KeyedRequest
from ledger.keyed import Answer, once
from ops.api.serializers import NewRunRequest, ReportAnswer, RunAnswer
from ops.reconciliation.models import ReconciliationRun
from ops.reconciliation.reporting import represent, represent_report
from ops.reconciliation.runs import ask_for, latest_finished
from ops.tasks import wake_reconciliation
from walletplatform.api.fields import validated
from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.problems import Problem
from walletplatform.api.query import id_parameter
from walletplatform.api.responses import json_response, stored_response
from walletplatform.api.schema import KEY_HEADER, operation
from walletplatform.api.views import ApiView
from walletplatform.audit.actors import Actor, of_principal

NEW = NewRunRequest()


class ReconciliationView(ApiView):
    """A comparison is of all assets: who may not see all of them may not see it."""

    def check_principal(self) -> None:
        if self.principal.is_user or self.principal.assets is not None:
            raise Problem("forbidden", "Reconciliation is for client systems that see every asset.")


class ReportView(ReconciliationView):
    scopes = {"GET": "ops:read"}
    parameters = {"GET": frozenset({"run"})}

    @operation(
        "Get the report of a reconciliation",
        answer=ReportAnswer,
        problems=["not_found"],
        parameters=[OpenApiParameter("run", {"type": "string", "format": "uuid"}, description="The latest finished.")],
        description="The run with the findings that it was the first or the last to see, 1,000 at most.",
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        self.check_principal()
        run_id = id_parameter(request.GET, "run")
        run = latest_finished() if run_id is None else ReconciliationRun.objects.filter(id=run_id).first()
        if run is None:
            raise Problem("not_found", "There is no such run.")
        return json_response(represent_report(run))


class RunsView(ReconciliationView):
    scopes = {"POST": "ops:write"}

    @operation(
        "Reconcile now",
        request=NewRunRequest,
        answer=RunAnswer,
        status=202,
        problems=["idempotency_key_invalid", "idempotency_key_reused", "idempotency_in_progress"],
        parameters=[KEY_HEADER],
        example={"kind": "incremental"},
        description="A worker does it. Ask for the run's report to see what came of it.",
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        self.check_principal()
        raw = self.body(request)
        kind = validated(NEW, raw)["kind"]
        key = idempotency_key(request, required=False)
        keyed = KeyedRequest(self.principal.id, key, fingerprint("POST", request.path, raw)) if key else None
        answer = once(keyed, partial(_make, of_principal(self.principal), kind))
        return stored_response(status=answer.status, body=answer.body, replayed=answer.replayed)


def _make(actor: Actor, kind: str) -> Answer:
    run = ask_for(actor=actor, kind=kind)
    # Where nobody can be woken now, the next tick finds it.
    transaction.on_commit(wake_reconciliation, robust=True)
    return Answer(202, orjson.dumps(represent(run)), run.id)
