"""What is scheduled, in the console: when, since when, and what people may change about it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ledger.admin import ReadOnlyAdmin, badge
from ops.act_pages import ActingAdmin, ReasonForm
from ops.jobs.schedules import FIELDS, PERIODS, interval_of, once_in, set_crontab, set_interval, switch, times_of, what
from walletplatform.audit.actors import of_staff

# Their own forms take any task with any arguments; here the settings say what there is to do.
admin.site.unregister([ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule])


class IntervalForm(ReasonForm):
    every = forms.IntegerField(min_value=1, max_value=100_000, widget=UnfoldAdminTextInputWidget)
    period = forms.ChoiceField(choices=PERIODS, widget=UnfoldAdminSelectWidget)
    field_order = ("every", "period", "reason")


class CrontabForm(ReasonForm):
    times = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget,
        help_text="Minute, hour, day of the month, month, day of the week (UTC), as in: 7 * * * *",
    )  # fmt: skip
    field_order = ("times", "reason")


@admin.register(PeriodicTask)
class ScheduleAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = ("title", "shown_times", "at_most", "state", "last_run", "runs")
    list_display_links = ("title",)
    list_select_related = ("interval", "crontab")
    ordering = ("name",)
    search_help_text = "A schedule's name"
    fields = ("title", "shown_times", "at_most", "badge", "last_run", "runs", "calls")
    readonly_fields = ("title", "shown_times", "at_most", "badge", "last_run", "runs", "calls")
    actions_detail = ("switch_off", "switch_on", "change_interval", "change_times")
    offered = {
        "switch_off": lambda task: task.enabled,
        "switch_on": lambda task: not task.enabled,
        "change_interval": lambda task: bool(task.interval_id),
        "change_times": lambda task: bool(task.crontab_id),
    }
    summary = ("shown_times",)

    def has_schedule_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("django_celery_beat.change_periodictask")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, (extra_context or {}) | {"title": "Schedules"})

    def search_text(self, queryset: Any, term: str) -> Any:
        return queryset.filter(name=term)

    @admin.display(description="What")
    def title(self, task: Any) -> str:
        return what(task)

    @admin.display(description="When")
    def shown_times(self, task: Any) -> str:
        return times_of(task)

    @admin.display(description="At most")
    def at_most(self, task: Any) -> str:
        return once_in(task)

    @display(description="State", label={"on": "success", "off": "warning"})
    def state(self, task: Any) -> str:
        return "on" if task.enabled else "off"

    @admin.display(description="State")
    def badge(self, task: Any) -> SafeString:
        return badge(self.state(task), "success" if task.enabled else "warning")

    @admin.display(description="Last run")
    def last_run(self, task: Any) -> str:
        return localize(localtime(task.last_run_at)) if task.last_run_at else "not yet"

    @admin.display(description="Runs")
    def runs(self, task: Any) -> int:
        return int(task.total_run_count)

    @admin.display(description="Calls")
    def calls(self, task: Any) -> str:
        return f"{task.task} {task.args}" if task.args != "[]" else str(task.task)

    @action(description="Switch off", url_path="switch-off", icon="pause", permissions=["schedule"])
    def switch_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, on=False, effect="It is not done any more, until it is switched on.")

    @action(description="Switch on", url_path="switch-on", icon="play_arrow", permissions=["schedule"])
    def switch_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, on=True, effect="It is done again when it is due.")

    @action(description="Change times", url_path="change-interval", icon="schedule", permissions=["schedule"])
    def change_interval(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(task: Any, given: dict[str, Any]) -> str:
            set_interval(
                actor=of_staff(request.user),  # type: ignore[arg-type]
                task_id=task.pk, every=given["every"], period=given["period"], reason=given["reason"],
            )  # fmt: skip
            return "The times are changed."

        def now(task: Any) -> dict[str, Any]:
            return dict(zip(("every", "period"), interval_of(task), strict=True)) if task.interval else {}

        return self.act_page(request, object_id, IntervalForm, act, title="Change times", effect=CHANGED, initial=now)

    @action(description="Change times", url_path="change-times", icon="schedule", permissions=["schedule"])
    def change_times(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(task: Any, given: dict[str, Any]) -> str:
            set_crontab(
                actor=of_staff(request.user),  # type: ignore[arg-type]
                task_id=task.pk, times=given["times"], reason=given["reason"],
            )  # fmt: skip
            return "The times are changed."

        def now(task: Any) -> dict[str, Any]:
            return {"times": " ".join(getattr(task.crontab, field) for field in FIELDS)} if task.crontab else {}

        return self.act_page(request, object_id, CrontabForm, act, title="Change times", effect=CHANGED, initial=now)

    def _switch(self, request: HttpRequest, object_id: str, *, on: bool, effect: str) -> HttpResponse:
        def act(task: Any, given: dict[str, Any]) -> str:
            switch(actor=of_staff(request.user), task_id=task.pk, enabled=on, reason=given["reason"])  # type: ignore[arg-type]
            return f"It is switched {'on' if on else 'off'}."

        title = f"Switch {'on' if on else 'off'}"
        return self.act_page(request, object_id, ReasonForm, act, title=title, effect=effect)


CHANGED = "From now on it is due at other times. Where it is done at most once in a while, that stays so."
