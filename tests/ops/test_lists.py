"""Lists of the console: by key, by what is indexed, and nothing else; their views and their files."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from ledger.admin import ReadOnlyAdmin
from ledger.console.exporting import MOST_ROWS, cell, harmless
from ops.console.models import SavedView
from ops.console.site import ConsoleSite
from payments.admin import PaymentAdmin
from payments.models import Payment
from tests.conftest import admin_url
from tests.money import snapshot
from tests.ops.staff import ROLES, console, person, root
from walletplatform.audit.models import AuditEntry

PAYMENTS = "/admin/payments/payment/"
EXPORTERS = {"operator", "approver", "finance", "risk", "auditor"}


@pytest.fixture
def paid(shop, rare_asset):
    """Seven payments of an asset of their own, one of them declined; oldest first."""
    ann, bob = shop.wallet(rare_asset, holding="10.00"), shop.wallet(rare_asset)
    ids = [shop.pay(ann, bob, f"1.0{number}").json()["id"] for number in range(5)]
    shop.pay(ann, bob, "100.00")
    held = shop.post(
        "/payments", {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00", "capture": False}
    )
    assert held.status_code == 201, held.content
    return {"ann": ann, "bob": bob, "asset": rare_asset, "settled": ids, "held": held.json()["id"]}


@pytest.fixture
def three_a_page(monkeypatch):
    monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 3)


def ids_on(page):
    assert page.status_code == 200, page.status_code
    return [str(row.pk) for row in page.context["cl"].result_list]


def newest(asset):
    return [str(pk) for pk in Payment.objects.filter(asset=asset).order_by("-id").values_list("pk", flat=True)]


@pytest.mark.parametrize("query", [{}, {"kind": "transfer"}])
def test_pages_lead_through_all_rows_and_back_without_counting_or_skipping(paid, three_a_page, query):
    http, query = console(root()), {"asset": paid["asset"]} | query
    expected = [
        pk for pk in newest(paid["asset"]) if "kind" not in query or Payment.objects.get(pk=pk).kind == query["kind"]
    ]
    with CaptureQueriesContext(connection) as asked:
        page = http.get(PAYMENTS, query)
        seen, pages = ids_on(page), [page]
        while page.context["cl"].older:
            page = http.get(PAYMENTS + page.context["cl"].older)
            seen += ids_on(page)
            pages.append(page)
    assert seen == expected
    assert not [one["sql"] for one in asked if "OFFSET" in one["sql"] or "COUNT(" in one["sql"]]
    for before in reversed(pages[:-1]):
        page = http.get(PAYMENTS + page.context["cl"].newer)
        assert ids_on(page) == ids_on(before)
    assert page.context["cl"].newer is None


def test_a_page_is_named_by_one_key_whatever_is_filtered(paid):
    http, [first, second, *_] = console(root()), newest(paid["asset"])
    for query in ("", f"&asset={paid['asset']}", f"&wallet={paid['ann']}"):
        assert ids_on(http.get(f"{PAYMENTS}?after={first}{query}"))[0] == second


def test_rows_that_come_meanwhile_neither_repeat_others_nor_push_them_out(shop, paid, three_a_page):
    http = console(root())
    first = http.get(PAYMENTS, {"asset": paid["asset"]})
    expected = newest(paid["asset"])
    shop.pay(paid["ann"], paid["bob"], "0.01")
    assert ids_on(http.get(PAYMENTS + first.context["cl"].older)) == expected[3:6]


@pytest.mark.parametrize(
    "query",
    [{"status": "FAILED"}, {"status": "AUTHORIZED"}, {"kind": "transfer", "status": "SETTLED"}, {"kind": "payout"},
     {"code": "insufficient_funds"}, {"code": "payment_denied"}, {"window": "1h", "status": "SETTLED"},
     {"to": "2020-01-01T00:00"}, {"from": "2020-01-01T00:00", "status": "FAILED"},
     {"code": "insufficient_funds", "kind": "transfer"}],
)  # fmt: skip
def test_a_list_shows_what_its_filters_say(paid, query):
    found = ids_on(console(root()).get(PAYMENTS, {"asset": paid["asset"]} | query))
    plain = {"status": "status", "kind": "kind", "code": "failure__code"}
    wanted = Payment.objects.filter(asset=paid["asset"], **{plain[w]: v for w, v in query.items() if w in plain})
    if query.get("to"):
        wanted = wanted.filter(created_at__lt=datetime(2020, 1, 1, tzinfo=UTC))
    assert found == [str(pk) for pk in wanted.order_by("-id").values_list("pk", flat=True)]


def test_a_wallets_payments_are_those_from_it_and_to_it(shop, paid):
    other = shop.wallet(paid["asset"], holding="1.00")
    http = console(root())
    for wallet in (paid["ann"], paid["bob"], other):
        mine = Payment.objects.filter(sender=wallet) | Payment.objects.filter(receiver=wallet)
        expected = [str(pk) for pk in mine.order_by("-id").values_list("pk", flat=True)]
        assert expected
        assert ids_on(http.get(PAYMENTS, {"wallet": wallet})) == expected
        assert ids_on(http.get(PAYMENTS, {"q": wallet})) == expected


def test_wallets_and_entries_are_filtered_too(shop, paid):
    http = console(root())
    shop.set_status(paid["bob"], "SUSPENDED")
    wallets = http.get("/admin/wallets/wallet/", {"asset": paid["asset"], "status": "SUSPENDED"})
    assert ids_on(wallets) == [paid["bob"]]
    entries = http.get("/admin/ledger/entry/", {"account": paid["ann"]}).context["cl"].result_list
    assert [entry.seq for entry in entries] == sorted((entry.seq for entry in entries), reverse=True)
    assert {str(entry.account_id) for entry in entries} == {paid["ann"]}


@pytest.mark.parametrize(
    ("query", "status"),
    [("sender__balance__gt=0", 400), ("sender__wallet__user_id=1", 400), ("receiver__payments_sent__amount=5", 400),
     ("amount__gte=1", 400), ("failure__detail__icontains=a", 400), ("principal_id__in=1", 400), ("metadata__x=1", 400),
     ("status__regex=.*", 400), ("status=NONSENSE", 302), ("status=%27%20OR%201=1", 302), ("kind=transfer%00", 400),
     ("%00=1", 400), ("window=9y", 302), ("from=yesterday", 302), ("to=0001-01-01T00:00", 302), ("wallet=1", 302),
     ("from=99999-01-01", 302), ("after=1", 302), ("after=a&after=b", 302), ("before=%27", 302), ("utm_source=x", 400)],
)  # fmt: skip
def test_what_reaches_into_other_tables_or_means_nothing_is_refused_and_not_asked(paid, query, status):
    http = console(root())
    with CaptureQueriesContext(connection) as asked:
        answer = http.get(f"{PAYMENTS}?{query}")
    assert answer.status_code == status
    assert not [one["sql"] for one in asked if 'FROM "payments"' in one["sql"]]


@pytest.mark.parametrize("query", ["o=1", "o=-3.2", "p=99999999999", "p=abc", "all=1", "_facets=True"])
def test_djangos_own_orders_pages_and_counts_have_no_effect(paid, query):
    with CaptureQueriesContext(connection) as asked:
        page = console(root()).get(f"{PAYMENTS}?asset={paid['asset']}&{query}")
    assert ids_on(page) == newest(paid["asset"])
    assert not [one["sql"] for one in asked if "OFFSET" in one["sql"] or "COUNT(" in one["sql"]]


def test_every_list_is_ordered_by_columns_that_can_be_a_key():
    from django.contrib import admin

    assert isinstance(admin.site._wrapped if hasattr(admin.site, "_wrapped") else admin.site, ConsoleSite)
    http, seen = console(root()), 0
    for model, one in admin.site._registry.items():
        if isinstance(one, ReadOnlyAdmin):
            page = http.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
            assert page.context["cl"].columns, model
            seen += 1
    assert seen > 10


def test_a_list_that_the_database_gives_up_on_says_so(paid):
    with psycopg.connect(admin_url(), dbname=connection.settings_dict["NAME"]) as other:
        other.execute("LOCK TABLE payments IN ACCESS EXCLUSIVE MODE")
        answer = console(root()).get(PAYMENTS)
        other.rollback()
    assert answer.status_code == 503
    assert "Narrow the list" in answer.text


def exported(http, kind, query):
    answer = http.post(f"{PAYMENTS}export/?{query}", {"format": kind})
    return answer, b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_a_list_as_a_file_has_its_rows_in_utc_with_decimal_amounts(paid):
    http, user = None, person("finance")
    http = console(user)
    expected = [pk for pk in newest(paid["asset"]) if Payment.objects.get(pk=pk).status == "SETTLED"]
    query = f"asset={paid['asset']}&status=SETTLED"
    answer, content = exported(http, "csv", query)
    lines = list(csv.DictReader(io.StringIO(content.decode())))
    assert answer["Content-Disposition"].startswith('attachment; filename="payments-')
    assert [line["payment"] for line in lines] == expected
    assert {line["asset"] for line in lines} == {paid["asset"]}
    assert lines[0]["amount"] == "1.04"
    assert lines[0]["created at"].endswith("Z")
    assert datetime.fromisoformat(lines[0]["created at"]) - datetime.now(UTC) < timedelta(minutes=1)
    told = AuditEntry.objects.get(actor_id=user.pk, action="list.export")
    filters = {"asset": [paid["asset"]], "status": ["SETTLED"]}
    assert (told.object_id, told.after) == (
        "payments.payment", {"format": "csv", "filters": filters, "rows": len(expected)},
    )  # fmt: skip

    _, content = exported(http, "xlsx", query)
    sheet = load_workbook(io.BytesIO(content)).active
    assert [row[0].value for row in sheet.iter_rows(min_row=2)] == expected
    assert {one.data_type for row in sheet.iter_rows() for one in row if one.value is not None} == {"s"}


def test_a_file_has_no_formulas_and_no_control_characters(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="1.00"), shop.wallet(rare_asset)
    shop.pay(ann, bob, "1.00", description='=HYPERLINK("http://x";"y")')
    http = console(person("auditor"))
    _, content = exported(http, "csv", f"asset={rare_asset}&kind=transfer")
    [line] = csv.DictReader(io.StringIO(content.decode()))
    assert line["description"].startswith("'=HYPERLINK")
    _, content = exported(http, "xlsx", f"asset={rare_asset}&kind=transfer")
    cells = [one for row in load_workbook(io.BytesIO(content)).active.iter_rows() for one in row]
    assert [one.data_type for one in cells if str(one.value).startswith("=")] == ["s"]
    for text in ("=1", "+1+1", "-1+1", "@x", "\t=1", "\r=1", "\uff1d1", "|x", "\x00=1"):
        assert harmless(cell(text)).startswith("'"), text
    for text in ("-5.00", "12", "-1", "a=1", ""):
        assert harmless(cell(text)) == text
    assert cell("a\x1b[31m\u202eb\nc") == "a [31m b c"


@pytest.mark.parametrize("role", ROLES)
def test_who_may_export_does_by_post_only_and_nobody_else(paid, role):
    http = console(person(role))
    query = f"asset={paid['asset']}"
    before = AuditEntry.objects.count()
    assert http.get(f"{PAYMENTS}export/?{query}").status_code == 405
    assert AuditEntry.objects.count() == before
    answer, _ = exported(http, "csv", query)
    assert answer.status_code == (200 if role in EXPORTERS else 403)
    assert (AuditEntry.objects.count() > before) == (role in EXPORTERS)
    assert ("/export/" in http.get(PAYMENTS, {"asset": paid["asset"]}).text.replace('action="export', "/export/")) == (
        role in EXPORTERS
    )


def test_a_list_that_is_too_long_for_a_file_is_told_to_be_narrowed(paid, monkeypatch):
    monkeypatch.setitem(MOST_ROWS, "csv", 3)
    http, before = console(person("finance")), AuditEntry.objects.count()
    answer = http.post(f"{PAYMENTS}export/?asset={paid['asset']}", {"format": "csv"})
    assert (answer.status_code, answer.url) == (302, f"{PAYMENTS}?asset={paid['asset']}")
    assert "at most 3 rows" in http.get(answer.url).text
    assert AuditEntry.objects.count() == before
    for query, kind in (("sender__balance=1", "csv"), ("", "pdf"), ("", "")):
        assert http.post(f"{PAYMENTS}export/?{query}", {"format": kind}).status_code in (400, 403)


def test_a_file_keeps_its_place_until_it_has_gone_out(paid):
    http, query = console(person("finance")), f"{PAYMENTS}export/?asset={paid['asset']}"
    going = [http.post(query, {"format": "csv"}) for _ in range(2)]
    refused = http.post(query, {"format": "csv"})
    assert refused.status_code == 302
    assert "Others are exporting" in http.get(refused.url).text
    for answer in going:
        assert b"".join(answer.streaming_content)
        answer.close()
    last = http.post(query, {"format": "xlsx"})
    assert last.status_code == 200
    last.close()


def save(http, name="Mine", query="status=FAILED", page="payments_payment"):
    return http.post(reverse("admin:save_view"), {"page": page, "name": name, "query": query})


def names(http, query=""):
    return [one["name"] for one in views(http, query)]


def views(http, query=""):
    from ops.templatetags.console import saved_views

    page = http.get(f"{PAYMENTS}?{query}")
    return saved_views(page.context["cl"], page.wsgi_request)["views"]


def test_filters_are_kept_under_a_name_for_their_person_alone():
    ann, bob = console(person("support")), console(person("support"))
    answer = save(ann, query="?status=FAILED&after=0199&before=1&p=3&o=1&e=1&kind=&window=24h")
    assert answer.url == f"{PAYMENTS}?status=FAILED&window=24h"
    view = SavedView.objects.latest("created_at")
    assert (view.name, view.query) == ("Mine", "status=FAILED&window=24h")
    assert "Mine" in names(ann)
    assert "Mine" not in names(bob)

    for act in ("rename_view", "delete_view"):
        assert bob.post(reverse(f"admin:{act}", args=[view.pk]), {"name": "Theirs"}).status_code == 404
        assert ann.get(reverse(f"admin:{act}", args=[view.pk])).status_code == 405
    ann.post(reverse("admin:rename_view", args=[view.pk]), {"name": "  Ours  "})
    assert "Ours" in names(ann)
    ann.post(reverse("admin:delete_view", args=[view.pk]))
    assert "Ours" not in names(ann)


def test_a_view_without_a_time_keeps_the_one_that_is_looked_at():
    http = console(person("support"))
    save(http, name="Voided", query="status=VOIDED")
    [link] = [one["link"] for one in views(http, "window=7d&status=FAILED") if one["name"] == "Voided"]
    assert parse_qs(urlsplit(link).query) == {"status": ["VOIDED"], "window": ["7d"]}


def test_a_view_that_makes_no_sense_is_not_kept():
    http = console(person("support"))
    before = SavedView.objects.count()
    for given in (
        {"name": ""}, {"name": "x" * 61}, {"query": ""}, {"query": "after=1"}, {"query": "a=" + "x" * 1001},
        {"page": "payments_nothing"}, {"page": "https://evil.example"}, {"page": "audit_auditentry"},
    ):  # fmt: skip
        assert save(http, **given).status_code in (302, 403, 404)
    assert SavedView.objects.count() == before
    save(http)
    save(http)
    assert SavedView.objects.count() == before + 1
    assert http.get(reverse("admin:save_view")).status_code == 405


def test_the_estimate_stands_only_where_nothing_is_filtered(paid):
    with CaptureQueriesContext(connection) as asked:
        console(root()).get(PAYMENTS, {"asset": paid["asset"]})
    assert not [one for one in asked if "reltuples" in one["sql"]]


def test_looking_changes_nothing(paid):
    http, before = console(root()), snapshot()
    for path in (PAYMENTS, "/admin/wallets/wallet/", "/admin/ops/openhold/", f"{PAYMENTS}{paid['held']}/change/"):
        assert http.get(path).status_code == 200
    assert snapshot() == before


def test_nothing_is_exported_of_a_secret():
    assert PaymentAdmin.export_columns
    http = console(person("auditor"))
    answer = http.post("/admin/events/webhookendpoint/export/", {"format": "csv"})
    header = b"".join(answer.streaming_content).decode().splitlines()[0]
    assert "secret" not in header.lower()


def test_an_unknown_id_in_a_page_is_not_found():
    assert console(root()).get(f"{PAYMENTS}{uuid4()}/change/").status_code == 302


@pytest.mark.parametrize("id", ["%00", "EUR%00", "_00"])
@pytest.mark.parametrize("page", ["change", "history"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_id_with_a_character_that_no_text_has_is_not_found(id, page, method):
    http = console(root())
    for model in ("ledger/asset", "events/cursor", "payments/payment"):
        answer = getattr(http, method)(f"/admin/{model}/{id}/{page}/")
        assert answer.status_code in (302, 403, 404, 405), (model, answer.status_code)
        assert http.get("/admin/").status_code == 200


@pytest.mark.parametrize("selected", [["abc"], ["\0"], [str(UUID(int=7)), "abc"]])
@pytest.mark.parametrize(
    ("path", "action"), [("/admin/ops/alert/", "acknowledge_selected"), ("/admin/ops/job/", "discard_selected")]
)
def test_what_cannot_be_of_a_list_is_not_acted_on(path, action, selected):
    http = console(root())
    answer = http.post(path, {"action": action, "_selected_action": selected}, follow=True)
    assert answer.redirect_chain == [(path, 302)]
    assert "nothing was done" in " ".join(str(message) for message in answer.context["messages"])
