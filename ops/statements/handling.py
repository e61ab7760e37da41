"""What people do about exceptions: look after them, explain them, propose the entry that corrects them."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.transaction import atomic

from ledger import clock
from ledger.money import to_text
from ops.approvals.models import Approval
from ops.approvals.proposing import propose_here
from ops.approvals.refusing import Refused
from ops.approvals.steps import entitled
from ops.reconciliation.handling import RIGHT, check_note, check_owner
from ops.statements.holding import hold, hold_for_a_moment
from ops.statements.matching import put_on_record
from ops.statements.models import MatchedEntry, MatchedLine, StatementException, StatementLine, StatementMatch
from ops.statements.pairing import Movement, Pairing
from walletplatform.audit.actors import Actor, of_job, of_staff
from walletplatform.audit.trail import record

logger = logging.getLogger(__name__)

State, Reason = StatementException.State, StatementException.Reason
CORRECTION = "wallet.adjust"
_UNDONE = (Approval.State.REJECTED, Approval.State.CANCELLED, Approval.State.EXPIRED, Approval.State.FAILED)
_ENTRIES = """
    SELECT e.id, (t.effective_at AT TIME ZONE 'UTC')::date,
           CASE e.direction WHEN 'DEBIT' THEN 'CREDIT' ELSE 'DEBIT' END, e.amount, e.seq
      FROM ledger_entries e JOIN transactions t ON t.id = e.transaction_id
     WHERE e.account_id = %(account)s AND (e.id = %(entry)s OR e.transaction_id = %(payment)s)
"""


@atomic(durable=True)
def assign(*, user: Any, exception_id: UUID, owner: str) -> StatementException:
    """
    Give an exception to somebody who may look after it, by name; "" takes it from whoever has it.

    :raises Refused: ``forbidden``, ``not_found``, ``invalid``
    """
    entitled(user, RIGHT)
    found = _locked(exception_id)
    if found.closed_at is not None:
        raise Refused("invalid", f"It is {found.get_state_display().lower()}.")
    check_owner(owner, found.owner)
    before, found.owner = {"owner": found.owner}, owner
    found.save(update_fields=["owner"])
    _audit(found, of_staff(user), "assign", before, {"owner": owner})
    return found


@atomic(durable=True)
def explain(*, user: Any, exception_id: UUID, note: str) -> StatementException:
    """
    Say why it needs no counterpart; that ends it.

    :raises Refused: ``forbidden``, ``not_found``, ``invalid``
    """
    entitled(user, RIGHT)
    found, note = _open(exception_id), check_note(note)
    if found.line_id is not None:
        StatementLine.objects.filter(pk=found.line_id).update(open=False)
    found.note = note
    return _move(found, State.EXPLAINED, of_staff(user), "explain", note, closed_at=clock.now())


def change_needed(found: StatementException) -> tuple[str, int]:
    """Return the direction and the amount by which the ledger must move, as outside, to say what the bank says."""
    if found.reason == Reason.MISSING_OUTSIDE:
        return ("DEBIT" if found.direction == "CREDIT" else "CREDIT"), found.amount
    missing = found.amount - (found.expected or 0)
    away = "DEBIT" if found.direction == "CREDIT" else "CREDIT"
    return (found.direction, missing) if missing > 0 else (away, -missing)


def why_not_correct(found: StatementException) -> str:
    if found.state != State.OPEN:
        return f"It is {found.get_state_display().lower()}."
    if found.reason == Reason.DUPLICATE_OUTSIDE:
        return "What the bank says twice is cleared up with the bank."
    return ""


@atomic(durable=True)
def propose_correction(*, user: Any, exception_id: UUID, wallet_id: UUID, reason: str) -> StatementException:
    """
    Propose the entry that makes the ledger say what the bank says: the wallet against the account that mirrors it.

    :raises Refused: ``forbidden``, ``not_found``, ``invalid``, ``already_open``
    """
    entitled(user, RIGHT)
    found = _open(exception_id)
    if why_not := why_not_correct(found):
        raise Refused("invalid", why_not)
    _check_alone(found)
    source = found.source
    direction, amount = change_needed(found)
    approval = propose_here(
        maker=user, action=CORRECTION, target_id=wallet_id, reason=reason,
        amount=Decimal(to_text(amount, source.asset.scale)), direction=direction.lower(),
        counter=source.account.kind, reference=str(found.pk),
    )  # fmt: skip
    if approval.asset != source.asset_id:
        raise Refused("invalid", f"The wallet is of {approval.asset}, and this of {source.asset_id}.")
    found.approval = approval
    return _move(found, State.CORRECTING, of_staff(user), "correct", reason, approval=approval)


def settle_corrections() -> int:
    """Close the exceptions whose correcting entry is made, and open those again whose is not; return how many moved."""
    correcting = StatementException.objects.filter(state=State.CORRECTING)
    ended = correcting.filter(approval__state__in=[Approval.State.EXECUTED, *_UNDONE])
    moved = 0
    for pk, source in list(ended.order_by("id").values_list("pk", "source_id")):
        try:
            moved += _settle(pk, source)
        except Exception:
            # The others are settled all the same.
            logger.exception("The correction of exception %s could not be settled", pk)
    return moved


@atomic(durable=True)
def _settle(exception_id: UUID, source_id: UUID) -> bool:
    source, now = hold(source_id), clock.now()
    found = _locked(exception_id)
    approval = found.approval
    if found.state != State.CORRECTING or approval is None:
        return False
    if approval.state in _UNDONE:
        told = f"The correction is {approval.get_state_display().lower()}."
        _move(found, State.OPEN, of_job("statements"), "reopen", told)
        return True
    if _is_matched(found):
        # The correction was made beside it: one of the two is too much, and that is for a person.
        _move(found, State.OPEN, of_job("statements"), "reopen", "Corrected, and matched otherwise meanwhile.")
        return True
    payment = (approval.result or {}).get("payment_id")
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, {"account": source.account_id, "entry": found.entry_id, "payment": payment})
        entries = tuple(
            Movement(id, day, direction, amount, (seq, 0)) for id, day, direction, amount, seq in cursor.fetchall()
        )
    line = found.line
    lines = () if line is None else (Movement(line.pk, line.booked_on, line.direction, line.amount),)
    pairing = Pairing(lines, entries, StatementMatch.Rule.CORRECTION, 100, f"Corrected by payment {payment}")
    taken = MatchedEntry.objects.filter(entry_id__in=[entry.id for entry in entries]).exists()
    if not entries or pairing.difference or taken:
        # The entry was made and does not settle it: that is for a person again.
        _move(found, State.OPEN, of_job("statements"), "reopen", "The correction does not make up for it.")
        return True
    _move(found, State.CORRECTED, of_job("statements"), "settle", f"Payment {payment}", closed_at=now)
    put_on_record(source, [pairing], now)
    return True


def _check_alone(found: StatementException) -> None:
    """:raises Refused: ``invalid`` where its entry or line is settled otherwise, or is about to be"""
    if _is_matched(found):
        raise Refused("invalid", "It is matched otherwise by now: explain it, or adjust the wallet by itself.")
    others = StatementException.objects.filter(entry_id__isnull=False, entry_id=found.entry_id, state=State.CORRECTING)
    if others.exclude(pk=found.pk).exists():
        raise Refused("invalid", "A correction of the same entry is proposed already, for another line.")


def _is_matched(found: StatementException) -> bool:
    if found.entry_id is not None and MatchedEntry.objects.filter(entry_id=found.entry_id).exists():
        return True
    return found.line_id is not None and MatchedLine.objects.filter(line_id=found.line_id).exists()


def _locked(exception_id: UUID) -> StatementException:
    exceptions = StatementException.objects.select_for_update(no_key=True, of=("self",))
    related = exceptions.select_related("source__asset", "source__account", "line", "approval")
    found = related.filter(pk=exception_id).first()
    if found is None:
        raise Refused("not_found", "There is no such exception.")
    return found


def _open(exception_id: UUID) -> StatementException:
    """Return an open exception, of whose source nothing is matched before the transaction ends."""
    for source_id in StatementException.objects.filter(pk=exception_id).values_list("source_id", flat=True):
        hold_for_a_moment(source_id)
    found = _locked(exception_id)
    if found.state != State.OPEN:
        raise Refused("invalid", f"It is {found.get_state_display().lower()}.")
    return found


def _move(
    found: StatementException, state: str, actor: Actor, step: str, reason: str, **changes: Any
) -> StatementException:
    before = {"state": found.state}
    found.state = state
    for name, value in changes.items():
        setattr(found, name, value)
    found.save(update_fields=["state", "note", *changes])
    after = {"state": state} | ({"approval": str(found.approval_id)} if "approval" in changes else {})
    _audit(found, actor, step, before, after, reason)
    return found


def _audit(
    found: StatementException, actor: Actor, step: str, before: dict[str, Any], after: dict[str, Any], reason: str = ""
) -> None:
    record(
        actor=actor, action=f"exception.{step}", object_type="statement_exception", object_id=found.pk, before=before,
        after=after, reason=reason,
    )  # fmt: skip
