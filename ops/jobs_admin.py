"""Jobs in the console: what waits, what was set aside and why, and what people may do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_datetime
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.decorators import action, display

from ledger.console.filters import WindowFilter, choice
from ledger.console.reading import ReadOnlyAdmin
from ledger.console.showing import badge, identifier
from ops.act_pages import ActingAdmin, ReasonForm
from ops.approvals.refusing import Refused
from ops.jobs import acting
from ops.jobs.counting import counts
from ops.jobs.dead_letters import NAME
from ops.jobs.models import Job
from ops.jobs.registry import JOBS, QUEUES
from ops.jobs.showing import without_secrets
from walletplatform.audit.actors import of_staff

STATE_COLOURS = {"Waiting": "info", "Running": "info", "Done": "success", "Dead": "danger", "Discarded": "warning"}
QUEUE_NAMES = {"mail": "Mail", "ai": "AI", "jobs": "Jobs"}
MOST_AT_ONCE = 200
EFFECTS = {
    "retry": "A worker tries it as soon as one is free, and counts its tries anew.",
    "discard": "It is never tried again, and what it was for does not happen. It stays on record.",
}
ACTS = {"retry": acting.retry, "discard": acting.discard}


def _queues() -> list[dict[str, Any]]:
    return [{"name": QUEUE_NAMES[one.queue]} | asdict(one) for one in counts()]


def _moment(text: str) -> str:
    return localize(localtime(parse_datetime(text)))


def _open(job: Job) -> bool:
    return job.state in acting.ACTED_ON


@admin.register(Job)
class JobAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = (
        "shown_id", "listed_title", "shown_state", "shown_queue", "tries", "created_at", "due", "shown_error",
    )  # fmt: skip
    list_display_links = None
    list_filter = (
        choice("state", Job.State.choices),
        choice("queue", [(name, QUEUE_NAMES[name]) for name in QUEUES]),
        WindowFilter,
    )
    views = (("Dead", "state=DEAD"), ("Waiting", "state=WAITING"), ("Running", "state=RUNNING"))
    ordering = ("-id",)
    search_help_text = "A job's id, or its name such as alerts.send"
    list_before_template = "admin/jobs.html"
    fields = (
        "title", "name", "badge", "shown_queue", "next_step", "history", "tries", "slot", "created_at", "due",
        "started_at", "finished_at", "asked", "request_id", "id",
    )  # fmt: skip
    readonly_fields = ("title", "badge", "shown_queue", "next_step", "due", "asked", "history")
    export_columns = tuple(
        (name.replace("_", " "), attrgetter(name))
        for name in ("id", "name", "slot", "state", "queue", "tries", "error", "created_at", "due_at", "finished_at")
    )
    actions: Any = ("retry_selected", "discard_selected")
    actions_detail = ("retry", "discard")
    offered = {"retry": _open, "discard": _open}
    summary = ("title", "state_in_words")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, (extra_context or {}) | {"queues": _queues()})

    def search_text(self, queryset: Any, term: str) -> Any:
        return queryset.filter(name=term)

    @admin.display(description="Job")
    def shown_id(self, job: Job) -> SafeString:
        return identifier(Job, job.pk)

    @admin.display(description="What")
    def title(self, job: Job) -> str:
        return JOBS[job.name].title if job.name in JOBS else job.name

    @admin.display(description="What")
    def listed_title(self, job: Job) -> SafeString | str:
        if not job.slot or job.name == NAME:
            return self.title(job)
        return format_html('{}<br><small class="ops-slot">for {}</small>', self.title(job), job.slot)

    @admin.display(description="Queue")
    def shown_queue(self, job: Job) -> str:
        return QUEUE_NAMES.get(job.queue, job.queue)

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, job: Job) -> str:
        return job.get_state_display()

    @admin.display(description="State")
    def badge(self, job: Job) -> SafeString:
        state = str(job.get_state_display())
        return badge(state, STATE_COLOURS[state])

    def state_in_words(self, job: Job) -> str:
        tries = "1 try" if job.tries == 1 else f"{job.tries} tries"
        return job.get_state_display().lower() + (f", after {tries}" if job.tries else "")

    @admin.display(description="Due")
    def due(self, job: Job) -> str:
        return localize(localtime(job.due_at)) if job.state in Job.OPEN else ""

    @admin.display(description="Error")
    def shown_error(self, job: Job) -> SafeString:
        return format_html('<span class="ops-error" title="{}">{}</span>', job.error, job.error)

    @admin.display(description="What to do")
    def next_step(self, job: Job) -> str:
        if job.state == Job.State.DEAD:
            return "Mend what the error says, then retry it; or discard it, where it is no longer wanted."
        if job.state == Job.State.WAITING and job.tries:
            return "Nothing: it is tried again when it is due. Retry it where what failed is mended."
        return "Nothing."

    @admin.display(description="What was asked")
    def asked(self, job: Job) -> SafeString:
        text = json.dumps(without_secrets(job.payload), indent=2, ensure_ascii=False)
        return format_html('<pre class="ops-asked">{}</pre>', text)

    @admin.display(description="Failed tries")
    def history(self, job: Job) -> SafeString | str:
        if not job.errors:
            return job.error or "none"
        rows = format_html_join(
            "", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            ((one["try"], _moment(one["at"]), one["error"]) for one in reversed(job.errors)),
        )  # fmt: skip
        head = SafeString("<tr><th>Try</th><th>At</th><th>Error</th></tr>")
        return format_html(
            '<div class="ops-scroll" tabindex="0"><table class="ops-postings">{}{}</table></div>', head, rows
        )

    @action(description="Retry", url_path="retry", icon="replay", permissions=["retry"])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, "retry", "A worker tries it as soon as one is free.")

    @action(description="Discard", url_path="discard", icon="delete", permissions=["retry"])
    def discard(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, "discard", "The job is discarded.")

    def _act(self, request: HttpRequest, object_id: str, name: str, told: str) -> HttpResponse:
        def act(job: Job, given: dict[str, Any]) -> str:
            ACTS[name](actor=of_staff(request.user), job_id=UUID(str(job.pk)), reason=given["reason"])  # type: ignore[arg-type]
            return told

        title = f"{name.capitalize()} the job"
        return self.act_page(request, object_id, ReasonForm, act, title=title, effect=EFFECTS[name])

    def get_urls(self) -> list[URLPattern]:
        several = self.admin_site.admin_view(self.several)
        return [path("several/<str:name>/", several, name="ops_job_several"), *super().get_urls()]

    @action(description="Retry", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._choose(request, queryset, "retry")

    @action(description="Discard", permissions=["retry"])
    def discard_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._choose(request, queryset, "discard")

    def _choose(self, request: HttpRequest, queryset: Any, name: str) -> HttpResponse:
        chosen = "&".join(f"job={pk}" for pk in queryset.order_by("-pk").values_list("pk", flat=True)[:MOST_AT_ONCE])
        return HttpResponseRedirect(f"{reverse('admin:ops_job_several', args=[name])}?{chosen}")

    def several(self, request: HttpRequest, name: str) -> HttpResponse:
        """The page of an act on the jobs that the address names: a GET shows them, only a POST acts, on each alone."""
        if name not in ACTS:
            raise Http404
        if not (self.has_retry_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        jobs = self._named(request)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        back = reverse("admin:ops_job_changelist")
        if request.method == "POST" and jobs and form.is_valid():
            self._act_on(request, name, [job.pk for job in jobs], form.cleaned_data["reason"])
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "form": form, "back": back, "jobs": jobs,
            "title": f"{name.capitalize()} {len(jobs)} jobs", "effect": EFFECTS[name].replace("It ", "Each "),
            "left_out": [job for job in jobs if not _open(job)],
            "rows": [(self.shown_id(job), self.title(job), self.state_in_words(job), job.error) for job in jobs],
        }  # fmt: skip
        return TemplateResponse(request, "admin/jobs_several.html", context)

    def _named(self, request: HttpRequest) -> list[Job]:
        """The jobs that the address names, the latest first; what is no id names none."""
        try:
            ids = [UUID(text) for text in request.GET.getlist("job")[:MOST_AT_ONCE]]
        except ValueError as error:
            raise Http404 from error
        return list(Job.objects.filter(pk__in=ids).order_by("-pk"))

    def _act_on(self, request: HttpRequest, name: str, ids: list[UUID], reason: str) -> None:
        """Act on each job in a transaction of its own, with an audit entry of its own; tell how many and which not."""
        refused = []
        for job_id in ids:
            try:
                ACTS[name](actor=of_staff(request.user), job_id=job_id, reason=reason)  # type: ignore[arg-type]
            except Refused as refusal:
                refused.append(f"{job_id}: {refusal.detail}")
        done = "Retried" if name == "retry" else "Discarded"
        messages.success(request, f"{done}: {len(ids) - len(refused)} of {len(ids)} jobs.")
        for words in refused[:10]:
            messages.warning(request, words)
