"""Do what was approved about a person or a client system: once, and only while they are as they were then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.idempotency import KeyedRequest
from ledger.keyed import Answer, once_under_lock
from ops.approvals.models import Approval
from ops.approvals.results import Result
from ops.approvals.targets import changes, state_of
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import Actor
from walletplatform.identity.models import Client, User


def once_unchanged(
    approval: Approval, model: type[User] | type[Client], act: Callable[[Any, Actor], None], *, code: str
) -> Result:
    """
    Lock the target and call ``act`` with it and the maker, under the approval's key.

    :raises Problem: ``invalid_state`` where the target has changed, and what ``act`` raises
    """
    request = KeyedRequest(approval.maker_id, f"approval:{approval.pk}", bytes.fromhex(approval.payload_sha256))

    def do() -> Answer:
        target = model.objects.select_for_update().get(pk=approval.target_id)
        if (now := state_of(target)) != approval.expected:
            raise Problem("invalid_state", f"It has changed: {changes(approval.expected, now)}.")
        act(target, Actor(approval.maker_kind, approval.maker_id, approval.maker_name))
        return Answer(200, b"{}", target.pk)

    return Result(True, {"status": once_under_lock(request, do).status, "code": code})
