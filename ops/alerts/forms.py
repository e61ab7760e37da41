"""The forms of alerts and their rules."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from ledger.admin import asset_codes
from ops.act_pages import ReasonForm
from ops.alerts.configuring import CHANGEABLE, MUTE_HOURS
from ops.alerts.handling import RIGHT
from ops.alerts.models import Alert, AlertConfiguration, Severity
from ops.alerts.reading import AlertType
from ops.alerts.telling import slack_host
from walletplatform.identity.models import User

DAYS = [(1, "Mon"), (2, "Tue"), (3, "Wed"), (4, "Thu"), (5, "Fri"), (6, "Sat"), (7, "Sun")]


class SeenForm(ReasonForm):
    """``seen`` is how the alert was when its page was shown."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)


class MuteForm(SeenForm):
    hours = forms.TypedChoiceField(
        choices=[(hours, f"{hours} hour{'s' if hours > 1 else ''}") for hours in MUTE_HOURS], coerce=int,
        widget=UnfoldAdminSelectWidget, label="For",
    )  # fmt: skip
    field_order = ("hours", "reason")


class AssignForm(SeenForm):
    person = forms.ModelChoiceField(
        User.objects.none(), widget=UnfoldAdminSelectWidget, to_field_name="username", label="To", empty_label=None
    )
    field_order = ("person", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.with_perm(RIGHT, backend="django.contrib.auth.backends.ModelBackend")
        self.fields["person"].queryset = people.filter(is_staff=True).order_by("username")  # type: ignore[attr-defined]


class CommentForm(forms.Form):
    comment = forms.CharField(
        max_length=1000, widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text="For whoever looks at the alert: what was found, what was tried. It stays.",
    )  # fmt: skip


class ResolveForm(SeenForm):
    classification = forms.ChoiceField(
        choices=[("", "Choose"), *Alert.Classification.choices], widget=UnfoldAdminSelectWidget, label="It was"
    )
    field_order = ("classification", "reason")


class AddressesField(forms.CharField):
    """E-mail addresses, one on a line or with commas between."""

    widget = UnfoldAdminTextareaWidget({"rows": 2})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return [address for address in re.split(r"[\s,;]+", super().clean(value)) if address]


class RuleForm(ReasonForm):
    """A rule of a type that is chosen already; fields that the type has no use for are left out."""

    name = forms.CharField(max_length=80, widget=UnfoldAdminTextInputWidget)
    severity = forms.ChoiceField(choices=Severity.choices, widget=UnfoldAdminSelectWidget)
    threshold = forms.DecimalField(max_digits=26, decimal_places=8, widget=UnfoldAdminDecimalFieldWidget)
    window_minutes = forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, label="Window (minutes)")
    minimum_volume = forms.IntegerField(
        widget=UnfoldAdminIntegerFieldWidget, label="Minimum volume", help_text="With fewer payments it says nothing."
    )
    asset = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    recipients = AddressesField(required=False, label="E-mail to")
    slack_url = forms.CharField(
        required=False,
        max_length=500,
        label="Slack address",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    no_slack = forms.BooleanField(required=False, label="Tell Slack no more", widget=UnfoldBooleanSwitchWidget)
    cooldown_minutes = forms.IntegerField(
        widget=UnfoldAdminIntegerFieldWidget, label="Cooldown (minutes)",
        help_text="After a message the next waits for so long, and tells all at once.",
    )  # fmt: skip
    resolve_after = forms.IntegerField(
        widget=UnfoldAdminIntegerFieldWidget,
        label="Ends after (evaluations)",
        help_text="So many in a row, one each five minutes, without it.",
    )
    escalate_after_minutes = forms.IntegerField(
        required=False, widget=UnfoldAdminIntegerFieldWidget, label="Escalate after (minutes)",
        help_text="Critical alerts that nobody has acknowledged by then. Empty: never.",
    )  # fmt: skip
    escalation_recipients = AddressesField(required=False, label="Escalate to")
    weekdays = forms.TypedMultipleChoiceField(
        choices=DAYS, coerce=int, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget,
        label="Evaluated on", help_text="None chosen: every day.",
    )  # fmt: skip
    from_hour = forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, label="From hour (UTC)")
    to_hour = forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, label="Until hour (UTC)")
    enabled = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget, label="On")
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    # What was doubted about the rule and saved all the same.
    confirmed = forms.CharField(required=False, widget=forms.HiddenInput)
    field_order = (
        "name", "severity", "threshold", "window_minutes", "minimum_volume", "asset", "recipients", "slack_url",
        "no_slack", "cooldown_minutes", "resolve_after", "escalate_after_minutes", "escalation_recipients", "weekdays",
        "from_hour", "to_hour", "enabled", "reason",
    )  # fmt: skip

    def __init__(self, known: AlertType, rule: AlertConfiguration | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["asset"].choices = [("", "All"), *asset_codes()]  # type: ignore[attr-defined]
        unit = "the asset's unit" if known.unit == "amount" else known.unit
        self.fields["threshold"].label = f"Alert {'below' if known.below else 'from'} ({unit})"
        host = slack_host(rule) if rule else ""
        self.fields["slack_url"].help_text = (
            f"Now at {host}. Empty: stays so." if host else "An incoming webhook. It is kept secret."
        )
        unused = {
            "window_minutes": not known.has_window, "minimum_volume": not known.has_volume,
            "asset": not known.has_asset, "no_slack": not host,
        }  # fmt: skip
        for name in [name for name, left_out in unused.items() if left_out]:
            del self.fields[name]

    def given(self) -> dict[str, Any]:
        """Return what the form says of the rule; an empty Slack address says nothing."""
        said = {name: self.cleaned_data[name] for name in CHANGEABLE if name in self.cleaned_data}
        if not said["slack_url"]:
            del said["slack_url"]
        if self.cleaned_data.get("no_slack"):
            said["slack_url"] = ""
        return said
