"""A client's webhook endpoints: made, changed, given new secrets, removed. Secrets are shown once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db.transaction import atomic

from events import log
from events.models import WebhookEndpoint
from events.webhooks.addresses import check_url
from events.webhooks.signing import new_secret, seal
from ledger import clock
from ledger.idempotency import KeyedRequest
from ledger.ids import id_maker
from ledger.keyed import Answer, once
from walletplatform.api.problems import Problem, invalid, problem_bytes
from walletplatform.api.times import time_text
from walletplatform.audit.actors import of_principal
from walletplatform.audit.trail import record
from walletplatform.identity.principal import Principal
from walletplatform.observability.request_id import current_request_id

MOST = 50
# Both secrets sign for so long, in which a receiver takes up the new one.
OVERLAP = timedelta(hours=24)
BY_CLIENT = "Switched off by the client."


def represent(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return an endpoint as the API shows it; never with a secret."""
    return {
        "id": str(endpoint.id),
        "url": endpoint.url,
        "description": endpoint.description,
        "types": endpoint.types,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason or None,
        "failures": endpoint.failures,
        "paused_until": _text(endpoint.paused_until),
        "former_secret_until": _text(endpoint.former_until),
        "created_at": time_text(endpoint.created_at),
    }


def endpoints_of(principal: Principal) -> Any:
    """Return a principal's endpoints, to be filtered further."""
    return WebhookEndpoint.objects.filter(client_id=principal.id, deleted_at=None)


def get_endpoint(principal: Principal, endpoint_id: UUID, *, lock: bool = False) -> WebhookEndpoint:
    """
    Return an endpoint of the principal's; ``lock`` keeps it from changing in this transaction.

    :raises Problem: ``not_found``
    """
    found = endpoints_of(principal).filter(pk=endpoint_id)
    endpoint = (found.select_for_update() if lock else found).first()
    if endpoint is None:
        raise Problem("not_found", "There is no such webhook endpoint.")
    assert isinstance(endpoint, WebhookEndpoint)
    return endpoint


def add_endpoint(
    *, principal: Principal, url: str, types: Sequence[str], description: str, request: KeyedRequest | None
) -> Answer:
    """
    Make an endpoint, to which the events from now on are sent. The answer shows its secret.

    :raises Problem: ``validation_error``, also where there are too many; those of keys
    """
    check_url(url)

    def add() -> Answer:
        if endpoints_of(principal).count() >= MOST:
            raise invalid("", "too_many", f"A client has {MOST} webhook endpoints at most.")
        now, secret = clock.now(), new_secret()
        endpoint = WebhookEndpoint.objects.create(
            id=id_maker(at=now)(), client_id=principal.id, url=url, description=description, types=list(types),
            assets=None if principal.assets is None else sorted(principal.assets), secret=seal(secret),
            after=log.head(), created_at=now,
        )  # fmt: skip
        _audit(principal, "create", endpoint, before=None)
        return _with_secret(endpoint, secret, status=201)

    return once(request, add)


@atomic(durable=True)
def change_endpoint(*, principal: Principal, endpoint_id: UUID, changes: Mapping[str, Any]) -> WebhookEndpoint:
    """
    Change ``url``, ``types``, ``description`` or ``enabled``. Switched on again, it begins without failures.

    :raises Problem: ``not_found``, ``validation_error``
    """
    if "url" in changes:
        check_url(changes["url"])
    endpoint = get_endpoint(principal, endpoint_id, lock=True)
    before = represent(endpoint)
    for name, value in changes.items():
        setattr(endpoint, name, value)
    if "enabled" in changes:
        endpoint.disabled_reason = "" if endpoint.enabled else BY_CLIENT
    if changes.get("enabled") or "url" in changes:
        endpoint.failures, endpoint.paused_until = 0, None
    endpoint.save()
    _audit(principal, "change", endpoint, before=before)
    return endpoint


def rotate_secret(*, principal: Principal, endpoint_id: UUID, request: KeyedRequest | None) -> Answer:
    """
    Give an endpoint a new secret, which the answer shows; the one before signs too for ``OVERLAP``.

    :raises Problem: ``not_found``, those of keys
    """

    def rotate() -> Answer:
        endpoint, secret = get_endpoint(principal, endpoint_id, lock=True), new_secret()
        before = represent(endpoint)
        endpoint.former_secret, endpoint.former_until = endpoint.secret, clock.now() + OVERLAP
        endpoint.secret = seal(secret)
        endpoint.save()
        _audit(principal, "rotate", endpoint, before=before)
        return _with_secret(endpoint, secret, status=200)

    return once(request, rotate)


@atomic(durable=True)
def remove_endpoint(*, principal: Principal, endpoint_id: UUID) -> None:
    """
    Take an endpoint away: nothing is sent to it any more. What was sent stays on record.

    :raises Problem: ``not_found``
    """
    endpoint = get_endpoint(principal, endpoint_id, lock=True)
    before = represent(endpoint)
    endpoint.enabled, endpoint.deleted_at = False, clock.now()
    endpoint.save()
    _audit(principal, "remove", endpoint, before=before, removed=True)


def _audit(
    principal: Principal,
    act: str,
    endpoint: WebhookEndpoint,
    *,
    before: Mapping[str, Any] | None,
    removed: bool = False,
) -> None:
    record(
        actor=of_principal(principal),
        action=f"webhook.{act}",
        object_type="webhook_endpoint",
        object_id=endpoint.pk,
        before=before,
        after=None if removed else represent(endpoint),
    )


def _with_secret(endpoint: WebhookEndpoint, secret: str, *, status: int) -> Answer:
    """An answer that shows the secret, and is kept as one that does not."""
    body = orjson.dumps(represent(endpoint) | {"secret": secret})
    again = problem_bytes(
        "secret_already_shown", "This was done, and its secret shown once. Exchange it if it was lost.",
        current_request_id(), endpoint_id=str(endpoint.id),
    )  # fmt: skip
    return Answer(status, body, endpoint.id, kept=(409, again))


def _text(moment: Any) -> str | None:
    return None if moment is None else time_text(moment)
