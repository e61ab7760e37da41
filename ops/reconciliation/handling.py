"""What people do about findings: look after them, explain them, resolve them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from django.db.transaction import atomic

from ops.approvals.refusing import Refused
from ops.approvals.steps import entitled
from ops.reconciliation.kinds import kind_of
from ops.reconciliation.models import Finding
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import Actor, of_staff
from walletplatform.audit.trail import record
from walletplatform.identity.models import User

State = Finding.State
RIGHT = "ops.handle_finding"
SHORTEST, LONGEST = 10, 200


@atomic(durable=True)
def assign(*, user: User, finding_id: UUID, owner: str) -> Finding:
    """
    Give a finding to somebody who may look after it, by name; "" takes it from whoever has it.

    :raises Refused: ``forbidden``, ``not_found``, ``invalid`` for who may not have it or one that is resolved
    """
    entitled(user, RIGHT)
    finding = _unresolved(finding_id)
    check_owner(owner, finding.owner)
    before = {"owner": finding.owner}
    finding.owner = owner
    finding.save(update_fields=["owner"])
    _audit(finding, of_staff(user), "assign", before, {"owner": owner})
    return finding


@atomic(durable=True)
def explain(*, user: User, finding_id: UUID, note: str) -> Finding:
    """
    Say why a finding is no cause for concern. It opens again where its evidence changes.

    A serious one stays open, and with it its alert, until two people have resolved it.

    :raises Refused: ``forbidden``, ``not_found``, ``invalid``
    """
    entitled(user, RIGHT)
    finding = _unresolved(finding_id)
    if kind_of(finding.kind).serious:
        raise Refused("invalid", "One person alone does not take this for explained: propose its resolution.")
    return _move(finding, State.EXPLAINED, of_staff(user), "explain", check_note(note))


@atomic(durable=True)
def resolve(*, user: User, finding_id: UUID, note: str) -> Finding:
    """
    Close a finding at once; a serious one is proposed to a second person (``finding.resolve``) instead.

    :raises Refused: ``forbidden``, ``not_found``, ``invalid``
    """
    entitled(user, RIGHT)
    finding = _unresolved(finding_id)
    if kind_of(finding.kind).serious:
        raise Refused("invalid", "This needs a second person: propose it.")
    return _move(finding, State.RESOLVED, of_staff(user), "resolve", check_note(note))


@atomic(durable=True)
def resolve_approved(*, finding_id: UUID, actor: Actor, note: str, expected: Mapping[str, Any]) -> Finding:
    """
    Close a finding for good; one that has been resolved meanwhile is left as it is.

    :raises Problem: ``invalid_state`` where it is not what was ``expected``: a run has found other evidence
    """
    finding = Finding.objects.select_for_update().get(pk=finding_id)
    if finding.state == State.RESOLVED:
        return finding
    if state_of(finding) != expected:
        raise Problem("invalid_state", "A run has found other evidence since it was approved.")
    return _move(finding, State.RESOLVED, actor, "resolve", note)


def why_not_resolve(finding: Finding) -> str:
    if finding.state == State.RESOLVED:
        return "It is resolved."
    return "" if kind_of(finding.kind).serious else "It takes one person to resolve it."


def state_of(finding: Finding) -> dict[str, Any]:
    """Return what must be the same still when a second person decides."""
    evidence = hashlib.sha256(orjson.dumps(finding.evidence, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return {"state": finding.state, "evidence": evidence[:16]}


def check_owner(owner: str, now: str) -> None:
    """:raises Refused: ``invalid`` for who looks after it ``now``, and for a name of nobody who may"""
    if owner == now:
        raise Refused("invalid", f"{owner} looks after it already." if owner else "Nobody looks after it as it is.")
    if not owner:
        return
    person = User.objects.filter(username=owner, is_active=True, is_staff=True).first()
    if person is None or not person.has_perm(RIGHT):
        raise Refused("invalid", f"{owner!r} is nobody who may look after this.")


def check_note(note: str) -> str:
    """:raises Refused: ``invalid``"""
    note = note.strip()
    if not SHORTEST <= len(note) <= LONGEST:
        raise Refused("invalid", f"Say why, in {SHORTEST} to {LONGEST} characters.")
    return note


def _unresolved(finding_id: UUID) -> Finding:
    finding = Finding.objects.select_for_update().filter(pk=finding_id).first()
    if finding is None:
        raise Refused("not_found", "There is no such finding.")
    if finding.state == State.RESOLVED:
        raise Refused("invalid", "It is resolved.")
    return finding


def _move(finding: Finding, state: str, actor: Actor, step: str, note: str) -> Finding:
    before = {"state": finding.state}
    finding.state, finding.note = state, note
    finding.save(update_fields=["state", "note"])
    _audit(finding, actor, step, before, {"state": state}, note)
    return finding


def _audit(
    finding: Finding, actor: Actor, step: str, before: dict[str, Any], after: dict[str, Any], reason: str = ""
) -> None:
    record(
        actor=actor, action=f"finding.{step}", object_type="finding", object_id=finding.pk, before=before, after=after,
        reason=reason,
    )  # fmt: skip
