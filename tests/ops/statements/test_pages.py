"""Statements in the console: looked at before they are imported, and what has no counterpart brought to an end."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from ops.statements.matching import match_source
from ops.statements.models import Statement, StatementException, StatementSource, StatementUpload
from ops.statements.reading import MOST_BYTES
from tests.money import rows, snapshot
from tests.ops.staff import ROLES, console, person
from tests.ops.statements.files import csv_file, days_ago, source
from tests.ops.statements.test_matching import take

REASON = "told by the bank on the phone"
IMPORTERS = {"operator", "finance"}
IMPORT = "admin:ops_statement_import_file"


@pytest.fixture
def bank(rare_asset):
    return source(rare_asset)


def upload(http, bank, content, name="May.csv"):
    return http.post(reverse(IMPORT), {"source": bank.pk, "file": SimpleUploadedFile(name, content)})


def page(row, act="change"):
    return reverse(f"admin:ops_{row._meta.model_name}_{act}", args=[row.pk])


def exception(bank, shop=None, **line):
    """What is missing in the ledger: 4.00 that came in."""
    take(bank, [{"amount": "4.00", "day": days_ago(5)} | line])
    match_source(bank.pk)
    return StatementException.objects.get(source=bank)


def everything():
    return snapshot(), rows(
        "SELECT (SELECT count(*) FROM statements), (SELECT count(*) FROM statement_uploads),"
        " (SELECT count(*) FROM statement_sources), (SELECT count(*) FROM audit_entries),"
        " (SELECT count(*) FROM approvals), (SELECT jsonb_agg(x ORDER BY id) FROM statement_exceptions x)"
    )


def test_a_file_is_looked_at_and_then_imported(bank, rare_asset):
    http = console(person("operator"))
    content = csv_file(rare_asset, [{"amount": "12.50", "reference": "<b>=1+1</b>"}, {"amount": "-2.00"}])

    shown = upload(http, bank, content)

    assert shown.status_code == 200
    assert f"12.50\N{NO-BREAK SPACE}{rare_asset}" in shown.text
    assert "&lt;b&gt;=1+1&lt;/b&gt;" in shown.text
    assert not Statement.objects.filter(source=bank).exists()
    kept = StatementUpload.objects.get(source=bank)
    answer = http.post(reverse(IMPORT), {"source": bank.pk, "upload": kept.pk})
    statement = Statement.objects.get(source=bank)
    assert answer.url == page(statement)
    assert not StatementUpload.objects.filter(source=bank).exists()
    read = http.get(answer.url).text
    for words in ("Came in", f"12.50\N{NO-BREAK SPACE}{rare_asset}", "It is the first of its source.", "May.csv"):
        assert words in read
    assert "May" in http.get(reverse("admin:ops_statement_changelist")).text


def test_a_file_that_is_not_right_is_shown_with_what_is_wrong(bank, rare_asset):
    http = console(person("finance"))
    before = everything()
    shown = upload(http, bank, csv_file(rare_asset, [{"amount": "NaN"}]))
    assert "Line 2: &#x27;NaN&#x27; is not an amount." in shown.text
    assert everything() == before


def test_what_somebody_else_uploaded_is_not_imported(bank, rare_asset):
    upload(console(person("operator")), bank, csv_file(rare_asset, [{"amount": "1.00"}]))
    kept = StatementUpload.objects.get(source=bank)
    for http, given in ((console(person("finance")), kept.pk), (console(person("operator")), uuid4())):
        http.post(reverse(IMPORT), {"source": bank.pk, "upload": given})
    assert not Statement.objects.filter(source=bank).exists()


def test_a_request_that_is_longer_than_any_statement_is_not_read(bank):
    http, before = console(person("operator")), everything()
    assert upload(http, bank, b"x" * (MOST_BYTES + 100_000)).status_code == 400
    assert everything() == before


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_statements_and_those_who_may_import(role, bank, rare_asset):
    http, before = console(person(role)), everything()
    for name in ("statement", "statementexception", "statementsource", "statementline", "statementmatch"):
        assert http.get(reverse(f"admin:ops_{name}_changelist")).status_code == 200
    listed = http.get(reverse("admin:ops_statement_changelist")).text
    assert (reverse(IMPORT) in listed) == (role in IMPORTERS)
    if role not in IMPORTERS:
        answer = upload(http, bank, csv_file(rare_asset, [{"amount": "1.00"}]))
        new = http.post(reverse("admin:ops_statementsource_new_source"), {"name": "x"})
        assert (answer.status_code, new.status_code) == (403, 403)
        assert everything() == before


def test_a_source_is_made_with_its_mapping(rare_asset):
    http, name = console(person("finance")), f"bank {uuid4().hex[:8]}"
    given = {
        "name": name, "asset": rare_asset, "account": "treasury", "format": "csv", "tolerance": "0.05",
        "window_days": 4, "patience_days": 1, "day": "Date", "amount": "Amount", "delimiter": ";", "point": ",",
        "encoding": "utf-8", "date_format": "%Y-%m-%d", "groups": "",
    }  # fmt: skip
    answer = http.post(reverse("admin:ops_statementsource_new_source"), given)
    made = StatementSource.objects.get(name=name)
    assert answer.url == page(made)
    assert (made.tolerance, made.mapping) == (5, {"day": "Date", "amount": "Amount", "delimiter": ";", "point": ","})
    again = http.post(reverse("admin:ops_statementsource_new_source"), given)
    assert "There is a source of this name" in again.text


def test_an_exception_is_given_to_somebody_and_explained(bank):
    found, http, bob = exception(bank), console(person("operator")), person("risk")
    shown = http.get(page(found)).text
    for words in ("The bank says that money moved", "nothing of it", "Propose correction"):
        assert (words in shown) == (words != "Propose correction")
    http.post(page(found, "assign"), {"owner": bob.username})
    console(bob).post(page(found, "explain"), {"reason": REASON})

    found.refresh_from_db()
    assert (found.state, found.owner, found.note) == ("EXPLAINED", bob.username, REASON)
    match_source(bank.pk)
    assert StatementException.objects.filter(source=bank).count() == 1
    shown = http.get(page(found)).text
    assert "Given to" in shown
    assert page(found, "explain") not in shown
    listed = http.get(reverse("admin:ops_statementexception_changelist"), {"state": "EXPLAINED", "source": bank.pk})
    assert [one.pk for one in listed.context["cl"].result_list] == [found.pk]


@pytest.mark.parametrize("role", ["viewer", "support", "auditor", "administrator"])
def test_who_may_not_look_after_exceptions_changes_none(role, bank):
    found = exception(bank)
    http, before = console(person(role)), everything()
    for act, given in (("assign", {"owner": ""}), ("explain", {"reason": REASON}), ("correct", {"reason": REASON})):
        assert page(found, act) not in http.get(page(found)).text
        assert http.post(page(found, act), given).status_code == 403
    assert everything() == before
