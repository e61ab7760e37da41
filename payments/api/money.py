"""What all endpoints that move or hold money have in common: the key, the dry run, the answer."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter

from payments.bundles import Bundle
from payments.commands import Act, Command
from payments.engine import execute, execute_bundle
from payments.grouping import submit
from payments.state import Outcome
from walletplatform.api.fields import StrictSerializer, validated
from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.places import Places
from walletplatform.api.problems import Problem
from walletplatform.api.query import flag_parameter
from walletplatform.api.responses import stored_response
from walletplatform.api.views import ApiView
from walletplatform.observability.metrics import count_payment
from walletplatform.observability.request_id import current_request_id, current_traceparent

DRY_RUN = OpenApiParameter(
    "dry_run", bool, description="true: the true answer, and no effect. The key is optional then, and stays free."
)
KEYS = [
    "idempotency_key_required", "idempotency_key_invalid", "idempotency_key_reused", "idempotency_in_progress",
]  # fmt: skip
PROBLEMS = [
    *KEYS, "not_found", "wallet_not_active", "insufficient_funds", "same_wallet", "amount_scale",
    "asset_mismatch", "balance_overflow", "limit_exceeded", "payment_denied", "lock_timeout", "outcome_unknown",
]  # fmt: skip
ACT_PROBLEMS = [*KEYS, "not_found", "invalid_state", "lock_timeout", "outcome_unknown"]


# What does not go through the queue leaves the flusher and its side lanes their connections.
BESIDE_THE_GROUP = Places(max(settings.MONEY_POOL_SIZE - 4, 1), patience=2.0)


class MoneyView(ApiView):
    """A POST that moves or holds money, once for its key. Its query knows ``dry_run``."""

    parameters: ClassVar[dict[str, frozenset[str]]] = {"POST": frozenset({"dry_run"})}

    def asked(self, request: HttpRequest, raw: Any) -> dict[str, Any]:
        """Return what every command says besides its own: who asks, under which key."""
        key = idempotency_key(request, required=not self.is_dry_run(request))
        return {
            "principal": self.principal,
            "key": key or uuid4().hex,
            "fingerprint": fingerprint("POST", request.path, raw),
            "request_id": current_request_id(),
            "traceparent": current_traceparent(),
        }

    def run(self, request: HttpRequest, command: Command, *, kind: str) -> HttpResponse:
        """Execute one command and answer its outcome."""
        dry_run = self.is_dry_run(request)
        if dry_run:
            with BESIDE_THE_GROUP.place(self.principal.id):
                outcome = execute([command], dry_run=True)[0]
        else:
            outcome = submit(command)
        return self._answer(outcome, [(kind, outcome)], dry_run=dry_run)

    def run_bundle(self, request: HttpRequest, bundle: Bundle, *, kinds: list[str]) -> HttpResponse:
        """Execute a bundle and answer its outcome; ``kinds`` are those of its commands."""
        dry_run = self.is_dry_run(request)
        with BESIDE_THE_GROUP.place(self.principal.id):
            whole, each = execute_bundle(bundle, dry_run=dry_run)
        return self._answer(whole, list(zip(kinds, each, strict=False)) or [(kinds[0], whole)], dry_run=dry_run)

    def _answer(self, outcome: Outcome, counted: list[tuple[str, Outcome]], *, dry_run: bool) -> HttpResponse:
        response = stored_response(status=outcome.status, body=outcome.body, replayed=outcome.replayed)
        if dry_run:
            response["Dry-Run"] = "true"
            return response
        for kind, one in counted:
            count_payment(kind=kind, outcome=one.code)
        return response

    def is_dry_run(self, request: HttpRequest) -> bool:
        return bool(request.META.get("QUERY_STRING")) and flag_parameter(request.GET, "dry_run")

    def only_clients(self) -> None:
        """
        Refuse an end user.

        :raises Problem: ``forbidden``
        """
        if self.principal.is_user:
            raise Problem("forbidden", "This is for client systems.")


class ActView(MoneyView):
    """A verb on the payment in the path; ``command`` is what its body is made into."""

    scopes: ClassVar[dict[str, str | None]] = {"POST": "payments:write"}
    serializer: StrictSerializer
    command: type[Act]

    def act(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        self.only_clients()
        raw = self.body(request)
        fields = validated(self.serializer, raw)
        command = self.command(payment_id=payment_id, **self.asked(request, raw), **fields)
        return self.run(request, command, kind=command.kind)
