"""The forms of statements: a file to be read, a file to be imported, and a new source."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ledger.models import Asset
from ledger.money import to_minor
from ops.statements.mapping import DATES, DELIMITERS, ENCODINGS, GROUPS, POINTS
from ops.statements.models import MIRRORS, StatementSource
from ops.statements.reading import MOST_BYTES
from ops.statements.sources import NewSource

COLUMNS = {
    "day": ("Column of the day", "CSV only, as are all columns: names as the file's first line has them."),
    "amount": ("Column of the amount", "With a sign; or leave it empty and name the two below."),
    "amount_in": ("Column of what came in", ""),
    "amount_out": ("Column of what went out", ""),
    "direction": ("Column of the direction", "Where the amount has no sign."),
    "out_word": ("What it says of what went out", "DEBIT, D, Soll..."),
    "reference": ("Column of the reference", "What lines are matched by: a payment's id, or the key of its request."),
    "bank_reference": ("Column of the bank's own reference", "It comes once: a second time is refused."),
    "counterparty": ("Column of the counterparty", ""),
    "text": ("Column of the text", ""),
    "currency": ("Column of the currency", "A line of another currency is refused."),
}
WRITTEN: dict[str, tuple[str, dict[str, str]]] = {
    "encoding": ("Encoding", ENCODINGS),
    "delimiter": ("Between columns", DELIMITERS),
    "date_format": ("Days are written", DATES),
    "point": ("Decimals are set off by", POINTS),
    "groups": ("Thousands are set off by", GROUPS),
}


class UploadForm(forms.Form):
    source = forms.ModelChoiceField(
        StatementSource.objects.select_related("asset").order_by("name"), widget=UnfoldAdminSelectWidget,
        help_text="The account that the statement is of.",
    )  # fmt: skip
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"CSV or camt.053, as the source is; {MOST_BYTES // 1024**2} MiB at most.",
    )


class ConfirmForm(forms.Form):
    source = forms.ModelChoiceField(StatementSource.objects.select_related("asset"), widget=forms.HiddenInput)
    upload = forms.UUIDField(widget=forms.HiddenInput)


class SourceForm(forms.Form):
    name = forms.CharField(max_length=40, widget=UnfoldAdminTextInputWidget)
    asset = forms.ModelChoiceField(Asset.objects.order_by("code"), widget=UnfoldAdminSelectWidget)
    account = forms.ChoiceField(
        choices=[(kind, kind.capitalize()) for kind in MIRRORS], widget=UnfoldAdminSelectWidget,
        help_text="The system account that mirrors it: it holds minus what is at the bank.",
    )  # fmt: skip
    format = forms.ChoiceField(choices=StatementSource.Format.choices, widget=UnfoldAdminSelectWidget)
    identifier = forms.CharField(
        max_length=42, required=False, widget=UnfoldAdminTextInputWidget,
        help_text="The account's IBAN or number: a camt.053 file of another is refused.",
    )  # fmt: skip
    tolerance = forms.RegexField(
        r"^[0-9]{1,9}(\.[0-9]{1,8})?$", initial="0", widget=UnfoldAdminTextInputWidget,
        help_text="By how much a pair may differ, such as for a fee that the bank took.",
    )  # fmt: skip
    window_days = forms.IntegerField(
        min_value=0, max_value=31, initial=3, widget=UnfoldAdminTextInputWidget,
        help_text="By how many days a pair may differ.",
    )  # fmt: skip
    patience_days = forms.IntegerField(
        min_value=0, max_value=60, initial=2, widget=UnfoldAdminTextInputWidget,
        help_text="After how many days what has no counterpart becomes an exception.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (label, words) in COLUMNS.items():
            self.fields[name] = forms.CharField(
                label=label, help_text=words, max_length=80, required=False, widget=UnfoldAdminTextInputWidget
            )
        for name, (label, known) in WRITTEN.items():
            self.fields[name] = forms.ChoiceField(
                label=label, choices=list(known.items()), required=False, widget=UnfoldAdminSelectWidget,
                # What is chosen first is what is usual.
            )  # fmt: skip

    def clean_tolerance(self) -> int:
        asset = self.cleaned_data.get("asset")
        minor = to_minor(Decimal(self.cleaned_data["tolerance"]), asset.scale) if asset else 0
        if minor is None:
            raise forms.ValidationError("It has more decimals than the asset.")
        return minor

    def wanted(self) -> NewSource:
        given = self.cleaned_data
        mapping = {name: given[name] for name in COLUMNS if given[name]} | {name: given[name] for name in WRITTEN}
        is_csv = given["format"] == StatementSource.Format.CSV
        return NewSource(
            name=given["name"], asset=given["asset"].code, account=given["account"], format=given["format"],
            mapping=mapping if is_csv else {}, identifier=given["identifier"], tolerance=given["tolerance"],
            window_days=given["window_days"], patience_days=given["patience_days"],
        )  # fmt: skip
