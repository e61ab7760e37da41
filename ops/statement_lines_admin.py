"""Lines of statements and what they are matched with, in the console."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from ledger.admin import ReadOnlyAdmin, identifier, link, money
from ledger.models import Asset, Entry
from ops.statements.models import (
    Direction,
    MatchedEntry,
    MatchedLine,
    StatementException,
    StatementLine,
    StatementMatch,
)


def signed(direction: str, amount: int, asset: Asset) -> str:
    """An amount as the bank shows it: what went out with a minus."""
    return money(amount if direction == Direction.CREDIT else -amount, asset)


def shown_table(heads: tuple[str, ...], rows: SafeString) -> SafeString:
    """A table; a head that begins with a star is of figures."""
    head = format_html_join(
        "", '<th scope="col"{}>{}</th>',
        ((SafeString(' class="ops-figure"') if one.startswith("*") else "", one.lstrip("*")) for one in heads),
    )  # fmt: skip
    return format_html(
        '<div class="ops-scroll" tabindex="0"><table class="ops-postings">'
        '<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        head, rows,
    )  # fmt: skip


@admin.register(StatementLine)
class StatementLineAdmin(ReadOnlyAdmin):
    list_display = ("number", "booked_on", "shown_amount", "reference", "who", "shown_open")
    list_select_related = ("source__asset",)
    linked_by = ("statement_id",)
    ordering = ("statement", "number")
    id_lookups = ("pk",)
    search_help_text = "The id of a line, or its reference as a whole"
    fields = (
        "id", "statement", "number", "booked_on", "shown_amount", "is_reversal", "reference", "bank_reference",
        "counterparty", "text", "shown_open", "its_match", "its_exception",
    )  # fmt: skip
    readonly_fields = ("shown_amount", "shown_open", "its_match", "its_exception")

    def search_text(self, queryset: QuerySet[StatementLine], term: str) -> QuerySet[StatementLine]:
        return queryset.filter(reference=term)

    @admin.display(description="Amount")
    def shown_amount(self, line: StatementLine) -> str:
        return signed(line.direction, line.amount, line.source.asset)

    @admin.display(description="Who or what for")
    def who(self, line: StatementLine) -> str:
        return line.counterparty or line.text[:80]

    @display(description="State", label={"Open": "warning", "Settled": "success"})
    def shown_open(self, line: StatementLine) -> str:
        return "Open" if line.open else "Settled"

    @admin.display(description="Match")
    def its_match(self, line: StatementLine) -> SafeString | str:
        match = StatementMatch.objects.filter(lines__line=line).first()
        return "none" if match is None else link(StatementMatch, match.pk, match.get_rule_display())

    @admin.display(description="Exception")
    def its_exception(self, line: StatementLine) -> SafeString | str:
        found = StatementException.objects.filter(line=line).first()
        return "none" if found is None else link(StatementException, found.pk, found.get_reason_display())


@admin.register(StatementMatch)
class StatementMatchAdmin(ReadOnlyAdmin):
    list_display = ("made_at", "source", "rule", "shown_confidence", "reason", "shown_difference")
    list_select_related = ("source__asset",)
    ordering = ("-id",)
    search_help_text = "The id of a match, a line or an entry"
    fields = ("id", "source", "rule", "shown_confidence", "reason", "shown_difference", "made_at", "sides")
    readonly_fields = ("shown_confidence", "shown_difference", "sides")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            wanted = UUID(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        # Each by its own key: joined, a match would be listed once for each line and entry of it.
        of_line = MatchedLine.objects.filter(pk=wanted).values_list("match_id", flat=True)
        of_entry = MatchedEntry.objects.filter(pk=wanted).values_list("match_id", flat=True)
        return queryset.filter(pk__in=[wanted, *of_line, *of_entry]), False

    @admin.display(description="Sure")
    def shown_confidence(self, match: StatementMatch) -> str:
        return f"{match.confidence}%"

    @admin.display(description="Outside has more by")
    def shown_difference(self, match: StatementMatch) -> str:
        return money(match.difference, match.source.asset) if match.difference else "nothing"

    @admin.display(description="Lines and entries")
    def sides(self, match: StatementMatch) -> SafeString:
        asset = match.source.asset
        lines = StatementLine.objects.filter(matched__match=match).order_by("booked_on", "number")
        of_match = match.entries.values_list("entry_id", flat=True)
        entries = Entry.objects.filter(pk__in=list(of_match)).select_related("transaction").order_by("seq")
        rows = [
            ("Outside", link(StatementLine, line.pk, f"Line {line.number}"), line.booked_on,
             signed(line.direction, line.amount, asset), line.reference)
            for line in lines
        ] + [
            ("Ledger", identifier(Entry, entry.pk), entry.transaction.effective_at.date(),
             money(entry.amount if entry.direction == "DEBIT" else -entry.amount, asset),
             identifier(type(entry.transaction), entry.transaction_id))
            for entry in entries
        ]  # fmt: skip
        body = format_html_join(
            "", '<tr><td>{}</td><td>{}</td><td>{}</td><td class="ops-figure">{}</td><td>{}</td></tr>', rows
        )
        return shown_table(("Side", "", "Day", "*Amount", "Reference or transaction"), body)
