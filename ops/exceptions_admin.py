"""Exceptions in the console: what has no counterpart, both sides of it, and how it ends."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.admin import ReadOnlyAdmin, badge, identifier, link, money
from ledger.console.filters import choice
from ledger.models import Entry, Transaction
from ops.act_pages import ActingAdmin, ReasonForm
from ops.approvals.models import Approval
from ops.looking_after import AGE_COLOURS, NoteForm, OwnerForm, Whose, age, history
from ops.reconciliation.handling import RIGHT
from ops.statements.handling import assign, change_needed, explain, propose_correction, why_not_correct
from ops.statements.models import Direction, StatementException, StatementLine, StatementSource
from payments.models import Payment

State = StatementException.State
COLOURS = {
    "Open": "danger", "Correction proposed": "info", "Matched": "success", "Explained": "warning",
    "Corrected": "success",
}  # fmt: skip
MEANS = {
    "missing_in_ledger": "The bank says that money moved, and the ledger has nothing of it.",
    "missing_outside": "The ledger says that money moved, and no statement of those days has it.",
    "amount_differs": "Both sides know it by its reference, but not by the same amount.",
    "duplicate_outside": "The bank says twice what the ledger has once.",
}
DO = {
    "missing_in_ledger": "Find out whose it is. Wait where it is about to be booked; otherwise propose its entry.",
    "missing_outside": "Wait where it is still under way. Where it never came, propose the entry that takes it back.",
    "amount_differs": "Find out which amount is right: a fee, a partial payment? Propose the entry for the rest.",
    "duplicate_outside": "Ask the bank; explain it once it is cleared up.",
}


class CorrectionForm(ReasonForm):
    wallet = forms.UUIDField(widget=UnfoldAdminTextInputWidget, help_text="The id of the wallet that it is for.")
    field_order = ("wallet", "reason")


def sources() -> list[tuple[str, str]]:
    return [(str(pk), name) for pk, name in StatementSource.objects.order_by("name").values_list("pk", "name")]


@admin.register(StatementException)
class StatementExceptionAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = ("shown_reason", "shown_state", "shown_amount", "source", "booked_on", "shown_age", "shown_owner")
    list_select_related = ("source__asset",)
    list_filter = (choice("state", State.choices), Whose, choice("source", sources, lookup="source_id"))
    views = (("Open", "state=OPEN"), ("Mine", "whose=me&state=OPEN"), ("Being corrected", "state=CORRECTING"))
    ordering = ("-id",)
    id_lookups = ("pk", "entry_id", "line_id")
    search_help_text = "The id of an exception, a line or an entry"
    fieldsets = (
        ("What it is", {"fields": ("shown_reason", "means", "what_to_do", "source", "booked_on", "opened_at")}),
        ("Both sides", {"fields": ("both_sides",)}),
        (
            "Resolution",
            {"fields": ("state_badge", "shown_owner", "note", "shown_age", "correction", "closed_at", "steps")},
        ),
    )  # fmt: skip
    readonly_fields = (
        "shown_reason", "means", "what_to_do", "both_sides", "state_badge", "shown_owner", "shown_age", "correction",
        "steps",
    )  # fmt: skip
    actions_detail = ("assign", "explain", "correct")
    summary = ("shown_reason", "shown_amount")
    offered = {
        "assign": lambda found: found.closed_at is None,
        "explain": lambda found: found.state == State.OPEN,
        "correct": lambda found: not why_not_correct(found),
    }

    def has_handle_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm(RIGHT)

    def has_correct_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm(RIGHT) and request.user.has_perm("ops.propose_adjustment")

    @action(description="Assign", url_path="assign", icon="person", permissions=["handle"])
    def assign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(found: StatementException, given: dict[str, Any]) -> str:
            assign(user=request.user, exception_id=found.pk, owner=given["owner"])
            return f"{given['owner']} looks after it." if given["owner"] else "Nobody looks after it."

        return self.act_page(
            request, object_id, OwnerForm, act, title="Assign", effect="Who looks after it is shown in the list.",
            initial=lambda found: {"owner": found.owner or request.user.get_username()},
        )  # fmt: skip

    @action(description="Explain", url_path="explain", icon="edit_note", permissions=["handle"])
    def explain(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(found: StatementException, given: dict[str, Any]) -> str:
            explain(user=request.user, exception_id=found.pk, note=given["reason"])
            return "Explained."

        effect = "It is closed: neither side waits for a counterpart any more."
        return self.act_page(request, object_id, NoteForm, act, title="Explain", effect=effect)

    @action(description="Propose correction", url_path="correct", icon="build", permissions=["correct"])
    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(found: StatementException, given: dict[str, Any]) -> str:
            propose_correction(
                user=request.user, exception_id=found.pk, wallet_id=given["wallet"], reason=given["reason"]
            )
            return "Proposed. Nothing happens before somebody else approves it."

        target = self.get_object(request, object_id)
        return self.act_page(
            request, object_id, CorrectionForm, act, title="Propose correction",
            effect=_effect(target) if target is not None else "",
        )  # fmt: skip

    @admin.display(description="Exception")
    def shown_reason(self, found: StatementException) -> str:
        return found.get_reason_display()

    @admin.display(description="What it means")
    def means(self, found: StatementException) -> str:
        return MEANS[found.reason]

    @admin.display(description="What to do")
    def what_to_do(self, found: StatementException) -> str:
        return DO[found.reason]

    @display(description="State", label=COLOURS)
    def shown_state(self, found: StatementException) -> str:
        return found.get_state_display()

    @admin.display(description="State")
    def state_badge(self, found: StatementException) -> SafeString:
        return badge(found.get_state_display(), COLOURS[found.get_state_display()])

    @admin.display(description="Amount")
    def shown_amount(self, found: StatementException) -> str:
        sign = 1 if found.direction == Direction.CREDIT else -1
        return money(sign * found.amount, found.source.asset)

    @display(description="Age", label=AGE_COLOURS)
    def shown_age(self, found: StatementException) -> str:
        return age(datetime.combine(found.booked_on, time.min, tzinfo=UTC))

    @admin.display(description="Owner")
    def shown_owner(self, found: StatementException) -> str:
        return found.owner or "nobody"

    @admin.display(description="Outside and ledger")
    def both_sides(self, found: StatementException) -> SafeString:
        outside, inside = _outside(found), _inside(found)
        rows = format_html_join(
            "", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>',
            ((name, outside.get(name, ""), inside.get(name, "")) for name in dict.fromkeys([*outside, *inside])),
        )  # fmt: skip
        return format_html(
            '<div class="ops-scroll" tabindex="0"><table class="ops-postings">'
            '<thead><tr><th></th><th scope="col">Outside</th>'
            '<th scope="col">Ledger</th></tr></thead><tbody>{}</tbody></table></div>',
            rows,
        )

    @admin.display(description="Correction")
    def correction(self, found: StatementException) -> SafeString | str:
        approval = found.approval
        if approval is None:
            return "None proposed."
        payment = (approval.result or {}).get("payment_id")
        return format_html(
            "{} {}, made by {}{}", identifier(Approval, approval.pk), approval.get_state_display().lower(),
            approval.maker_name, format_html(": payment {}", identifier(Payment, payment)) if payment else "",
        )  # fmt: skip

    @admin.display(description="History")
    def steps(self, found: StatementException) -> SafeString | str:
        return history("statement_exception", found.pk)


def _outside(found: StatementException) -> dict[str, Any]:
    line = found.line
    if line is None:
        return {"Amount": "nothing of it"}
    return {
        "Amount": money(line.amount if line.direction == Direction.CREDIT else -line.amount, found.source.asset),
        "Day": line.booked_on,
        "Where": link(StatementLine, line.pk, f"Line {line.number} of {line.statement.number}"),
        "Reference": line.reference or "none",
        "Who or what for": line.counterparty or line.text,
    }


def _inside(found: StatementException) -> dict[str, Any]:
    entry = Entry.objects.select_related("transaction").filter(pk=found.entry_id).first() if found.entry_id else None
    if entry is None:
        return {"Amount": "nothing of it"}
    return {
        "Amount": money(entry.amount if entry.direction == "DEBIT" else -entry.amount, found.source.asset),
        "Day": entry.transaction.effective_at.date(),
        "Where": identifier(Transaction, entry.transaction_id),
        "Reference": identifier(Payment, entry.transaction_id),
    }


def _effect(found: StatementException) -> str:
    direction, amount = change_needed(found)
    way = "credited to" if direction == Direction.CREDIT else "debited from"
    moved = money(amount, found.source.asset)
    return (
        f"Once somebody else approves it, {moved} is {way} the wallet against the account that mirrors the bank, "
        "and both sides of this exception agree."
    )
