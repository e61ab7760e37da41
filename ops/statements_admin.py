"""Statements in the console: what was imported, from where, and how much of it the ledger knows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action

import ops.exceptions_admin  # noqa: F401 (it registers its page)
from ledger.admin import ReadOnlyAdmin, badge, link, listed, money
from ledger.console.filters import choice
from ops.approvals.refusing import Refused
from ops.list_acts import list_act, told
from ops.reconciliation_admin import shown_cards
from ops.statement_lines_admin import shown_table, signed
from ops.statements.models import (
    Statement,
    StatementException,
    StatementLine,
    StatementSource,
)
from ops.statements.sources import make_source
from ops.statements.uploading import RIGHT, import_upload, upload
from ops.statements_forms import ConfirmForm, SourceForm, UploadForm
from walletplatform.audit.actors import of_staff

PREVIEWED = 10


def sources() -> list[tuple[str, str]]:
    return [(str(pk), name) for pk, name in StatementSource.objects.order_by("name").values_list("pk", "name")]


class StatementsAdmin(ReadOnlyAdmin):
    """What is about statements may be imported by those who hold the right."""

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RIGHT)


@admin.register(StatementSource)
class StatementSourceAdmin(StatementsAdmin):
    list_display = ("name", "asset", "mirror", "format", "shown_tolerance", "window_days", "patience_days")
    list_select_related = ("asset", "account")
    ordering = ("name",)
    search_help_text = "A source's name"
    actions_list = ("new_source",)
    fields = (
        "name", "asset", "mirror", "format", "shown_mapping", "identifier", "shown_tolerance", "window_days",
        "patience_days", "created_at", "its_statements", "its_exceptions",
    )  # fmt: skip
    readonly_fields = ("mirror", "shown_mapping", "shown_tolerance", "its_statements", "its_exceptions")

    def search_text(self, queryset: QuerySet[StatementSource], term: str) -> QuerySet[StatementSource]:
        return queryset.filter(name=term)

    @action(description="New source", url_path="new", icon="add", permissions=["import"])
    def new_source(self, request: HttpRequest) -> HttpResponse:
        def act(given: dict[str, Any]) -> str:
            source = make_source(actor=of_staff(request.user), wanted=form.wanted())  # type: ignore[arg-type]
            return told(request, "The source is there: import its first statement.", _page(source))

        form = SourceForm(request.POST or None)
        return list_act(
            self, request, form, act, right=RIGHT, title="New source",
            effect="An account at a bank or provider, compared with the system account that mirrors it. How it is "
            "read and matched is not changed later, so that what was matched stays explained.",
        )  # fmt: skip

    @admin.display(description="Mirrored by")
    def mirror(self, source: StatementSource) -> SafeString:
        return link(type(source.account), source.account_id, str(source.account))

    @admin.display(description="Tolerance")
    def shown_tolerance(self, source: StatementSource) -> str:
        return money(source.tolerance, source.asset)

    @admin.display(description="How its CSV is read")
    def shown_mapping(self, source: StatementSource) -> SafeString | str:
        rows = format_html_join(
            "", "<tr><td>{}</td><td><code>{}</code></td></tr>",
            ((name.replace("_", " ").capitalize(), value) for name, value in source.mapping.items()),
        )  # fmt: skip
        return format_html('<table class="ops-postings"><tbody>{}</tbody></table>', rows) if rows else "It is camt.053."

    @admin.display(description="Statements")
    def its_statements(self, source: StatementSource) -> SafeString:
        return listed(Statement, "Show them", source=source.pk)

    @admin.display(description="Exceptions")
    def its_exceptions(self, source: StatementSource) -> SafeString:
        return listed(StatementException, "Show them", source=source.pk)


@admin.register(Statement)
class StatementAdmin(StatementsAdmin):
    list_display = ("number", "source", "period", "shown_lines", "shown_matched", "shown_closing", "imported_at")
    list_select_related = ("source__asset",)
    list_filter = (choice("source", sources, lookup="source_id"),)
    ordering = ("-id",)
    id_lookups = ("pk", "source_id")
    search_help_text = "The id of a statement or a source"
    actions_list = ("import_file", "all_sources")
    fieldsets = (
        ("What it says", {"fields": ("totals", "source", "period", "follows")}),
        ("Lines", {"fields": ("unmatched", "all_lines", "exceptions")}),
        ("The file", {"fields": ("id", "number", "file_name", "sha256", "part", "imported_by", "imported_at")}),
    )
    readonly_fields = ("totals", "period", "follows", "unmatched", "all_lines", "exceptions")

    @action(description="Import a statement", url_path="import", icon="upload_file", permissions=["import"])
    def import_file(self, request: HttpRequest) -> HttpResponse:
        confirm = ConfirmForm(request.POST if "upload" in request.POST else None)
        if confirm.is_valid():
            return self._import(request, confirm.cleaned_data)
        shown: list[HttpResponse] = []

        def act(given: dict[str, Any]) -> str:
            file, source = given["file"], given["source"]
            kept, read = upload(
                user=request.user, source=source, file_name=file.name or "", content=file.read()  # type: ignore[arg-type]
            )  # fmt: skip
            shown.append(self._preview(request, source, kept.pk, read))
            return ""

        form = UploadForm(request.POST or None, request.FILES or None)
        answer = list_act(
            self, request, form, act, right=RIGHT, title="Look at it",
            effect="The file is read and shown first: nothing is imported before you say so. A file that is not "
            "right as a whole is refused.",
        )  # fmt: skip
        return shown[0] if shown else answer

    @action(description="Sources", url_path="sources", icon="account_balance")
    def all_sources(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:ops_statementsource_changelist"))

    def _preview(self, request: HttpRequest, source: StatementSource, upload_id: Any, read: list[Any]) -> HttpResponse:
        asset = source.asset
        statements = [
            {
                "number": one.number, "begins": one.begins_on, "ends": one.ends_on, "count": len(one.lines),
                "credits": money(sum(line.amount for line in one.lines if line.change > 0), asset),
                "debits": money(sum(line.amount for line in one.lines if line.change < 0), asset),
                "opening": None if one.opening is None else money(one.opening, asset),
                "closing": None if one.closing is None else money(one.closing, asset),
                "lines": [(line, signed(line.direction, line.amount, asset)) for line in one.lines[:PREVIEWED]],
            }
            for one in read
        ]  # fmt: skip
        form = ConfirmForm(initial={"source": source.pk, "upload": upload_id})
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "title": "Import a statement", "form": form,
            "source": source, "statements": statements, "again": reverse("admin:ops_statement_import_file"),
        }  # fmt: skip
        return TemplateResponse(request, "admin/statement_preview.html", context)

    def _import(self, request: HttpRequest, given: dict[str, Any]) -> HttpResponse:
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        try:
            statements = import_upload(
                user=request.user, source=given["source"], upload_id=given["upload"]  # type: ignore[arg-type]
            )  # fmt: skip
        except Refused as refusal:
            messages.error(request, f"Not imported. {refusal.detail}")
            return HttpResponseRedirect(reverse("admin:ops_statement_import_file"))
        return HttpResponseRedirect(told(request, "Imported. A worker matches its lines now.", _page(statements[0])))

    @admin.display(description="Period")
    def period(self, statement: Statement) -> str:
        same = statement.begins_on == statement.ends_on
        return f"{statement.begins_on}" if same else f"{statement.begins_on} to {statement.ends_on}"

    @admin.display(description="Lines")
    def shown_lines(self, statement: Statement) -> str:
        return f"{statement.line_count:,}"

    @admin.display(description="Matched")
    def shown_matched(self, statement: Statement) -> SafeString:
        percent = statement.matched * 100 // statement.line_count if statement.line_count else 100
        return format_html(
            '<span class="ops-share" aria-hidden="true"><span style="width: {}%"></span></span>{}%', percent, percent
        )

    @admin.display(description="Closing balance")
    def shown_closing(self, statement: Statement) -> str:
        return "" if statement.closing is None else money(statement.closing, statement.source.asset)

    @admin.display(description="Totals")
    def totals(self, statement: Statement) -> SafeString:
        asset = statement.source.asset
        cards: list[tuple[str, SafeString | str]] = [
            ("Came in", money(int(statement.credits), asset)), ("Went out", money(int(statement.debits), asset)),
            ("Lines", f"{statement.line_count:,}"), ("Matched", self.shown_matched(statement)),
        ]  # fmt: skip
        if statement.opening is not None:
            cards = [
                ("Opening balance", money(statement.opening, asset)),
                *cards,
                ("Closing balance", self.shown_closing(statement)),
            ]
        return shown_cards(cards)

    @admin.display(description="Follows")
    def follows(self, statement: Statement) -> SafeString | str:
        """Whether it begins where the one before it ended."""
        earlier = Statement.objects.filter(source_id=statement.source_id, ends_on__lte=statement.begins_on)
        before = earlier.exclude(pk=statement.pk).order_by("-ends_on", "-id").first()
        if before is None:
            return "It is the first of its source."
        page = link(Statement, before.pk, before.number)
        if statement.opening is None or before.closing is None:
            return page
        if statement.opening == before.closing:
            return format_html("{} {}", page, badge("balances join", "success"))
        return format_html("{} {}", page, badge("its closing balance is another: one is missing between", "danger"))

    @admin.display(description="Not matched (the first ones)")
    def unmatched(self, statement: Statement) -> SafeString | str:
        asset = statement.source.asset
        lines = statement.lines.filter(open=True).order_by("number")[:PREVIEWED]
        rows = format_html_join(
            "", '<tr><td>{}</td><td>{}</td><td class="ops-figure">{}</td><td>{}</td><td>{}</td></tr>',
            (
                (
                    link(StatementLine, line.pk, line.number), line.booked_on,
                    signed(line.direction, line.amount, asset), line.reference, line.counterparty or line.text,
                )
                for line in lines
            ),
        )  # fmt: skip
        return shown_table(("Line", "Day", "*Amount", "Reference", "Who or what for"), rows) if rows else "All are."

    @admin.display(description="Lines")
    def all_lines(self, statement: Statement) -> SafeString:
        return listed(StatementLine, "All lines", statement_id=statement.pk)

    @admin.display(description="Exceptions")
    def exceptions(self, statement: Statement) -> SafeString:
        return listed(StatementException, "Of its source", source=statement.source_id)


def _page(row: Any) -> str:
    return reverse(f"admin:ops_{row._meta.model_name}_change", args=[row.pk])
