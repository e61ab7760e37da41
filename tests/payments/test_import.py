"""A file of payments: read as a whole, paid once a row, refused in plain words."""

from __future__ import annotations

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from tests.actors import actor
from tests.ledger.test_database_rules import connect
from tests.money import snapshot
from walletplatform.identity.models import Client
from walletplatform.identity.scopes import SCOPES

HEAD = "kind,sender_wallet_id,receiver_wallet_id,wallet_id,amount,description,effective_at,idempotency_key\n"


@pytest.fixture
def client():
    made = Client(name=f"importer-{uuid4().hex}", scopes=sorted(SCOPES), assets=None)
    made.new_secret()
    made.save()
    return made


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="100.00")


@pytest.fixture
def bob(shop):
    return shop.wallet()


@pytest.fixture
def run(tmp_path, client):
    """Import a text (or bytes); return the exit code and what was said."""

    def import_file(content, *options):
        file = tmp_path / "payments.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        out = StringIO()
        try:
            call_command("import_payments", str(file), "--client", client.name, *options, stdout=out)
        except SystemExit as ended:
            return ended.code, out.getvalue()
        except CommandError as error:
            return 1, f"{out.getvalue()}{error}"
        return 0, out.getvalue()

    return import_file


def row(sender, receiver, amount, *, words="", at="", key=""):
    return f"transfer,{sender},{receiver},,{amount},{words},{at},{key}\n"


def test_each_row_is_paid_and_none_twice_however_often_the_file_comes(run, shop, ann, bob):
    content = HEAD + row(ann, bob, "1.00") + row(ann, bob, "1.00") + f"topup,,,{ann},5.00,Gift,,\n"

    assert run(content) == (0, "3 of 3 payments paid.\n")
    before = snapshot()
    assert run(content) == (0, "3 of 3 payments paid.\n")

    assert snapshot() == before
    assert (shop.balance(ann), shop.balance(bob)) == ("103.00", "2.00")


def test_more_rows_than_a_batch_holds_are_paid(run, shop, ann, bob):
    assert run(HEAD + row(ann, bob, "0.01") * 1203)[0] == 0
    assert shop.balance(bob) == "12.03"


def test_a_row_is_the_same_request_as_over_http(run, client, ann, bob):
    key = uuid4().hex
    run(HEAD + row(ann, bob, "1.00", words="Order 7", key=key))
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00", "description": "Order 7"}

    again = actor("client", id=client.id).post("/payments", body, key=key)

    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")


def test_refusals_are_reported_and_the_others_are_paid(run, shop, tmp_path, ann, bob):
    code, said = run(HEAD + row(ann, bob, "1000.00") + row(ann, bob, "1.00") + row(ann, uuid4(), "1.00"))

    assert (code, "1 of 3 payments paid." in said) == (1, True)
    assert shop.balance(bob) == "1.00"
    report = (tmp_path / "payments.refused.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in report] == [
        ["line", "code"], ["2", "insufficient_funds"], ["4", "not_found"],
    ]  # fmt: skip


def test_a_dry_run_says_what_would_be_and_pays_nothing(run, ann, bob):
    before = snapshot()

    code, said = run(HEAD + row(ann, bob, "1000.00") + row(ann, bob, "1.00"), "--dry-run")

    assert (code, "1 of 2 payments would be paid." in said) == (1, True)
    assert snapshot() == before


def test_a_byte_order_mark_and_a_past_are_read(run, ann, bob):
    content = HEAD + row(ann, bob, "1.00", at="2026-01-31T12:00:00Z")
    assert run(b"\xef\xbb\xbf" + content.encode())[0] == 0


LIES = {
    "no rows": (HEAD, "empty"),
    "nothing": ("", "blank"),
    "unknown column": ("amount,colour\n1.00,red\n", "unknown_column"),
    "column twice": ("amount,amount\n1.00,1.00\n", "repeated_column"),
    "no amount": ("kind,wallet_id\ntopup,x\n", "missing_column"),
    "too many fields": (HEAD + "transfer,{ann},{bob},,1.00,,,,surplus\n", "wrong_width"),
    "too few fields": (HEAD + "transfer,{ann},{bob},,1.00\n", "wrong_width"),
    "negative": (HEAD + "transfer,{ann},{bob},,-1.00,,,\n", "invalid"),
    "exponent": (HEAD + "transfer,{ann},{bob},,1e2,,,\n", "invalid"),
    "decimal comma": (HEAD + 'transfer,{ann},{bob},,"1,00",,,\n', "invalid"),
    "full-width digits": (HEAD + "transfer,{ann},{bob},,１.00,,,\n", "invalid"),
    "zero": (HEAD + "transfer,{ann},{bob},,0.00,,,\n", "zero"),
    "formula": (HEAD + "transfer,{ann},{bob},,=1+1,,,\n", "invalid"),
    "upper-case id": (HEAD + "transfer,{ANN},{bob},,1.00,,,\n", "invalid"),
    "no receiver": (HEAD + "transfer,{ann},,,1.00,,,\n", "required"),
    "wallet of a transfer": (HEAD + "transfer,{ann},{bob},{bob},1.00,,,\n", "unknown_field"),
    "unknown kind": (HEAD + "refund,{ann},{bob},,1.00,,,\n", "invalid_choice"),
    "a key with a space": (HEAD + "transfer,{ann},{bob},,1.00,,,a b\n", "invalid"),
    "a key for two payments": (
        HEAD + "transfer,{ann},{bob},,1.00,,,same\ntransfer,{ann},{bob},,2.00,,,same\n", "key_twice",
    ),
    "a quote closed by another row's": (
        HEAD + 'transfer,{ann},{bob},,1.00,"oh,,\ntransfer,{ann},{bob},,1.00,no",,\n', "malformed_csv",
    ),
    "a quote within a field": (HEAD + 'transfer,{ann},{bob},,1.00,a "b" c,,\n', "malformed_csv"),
    "a blank line": (HEAD + "transfer,{ann},{bob},,1.00,,,\n\ntransfer,{ann},{bob},,1.00,,,\n", "blank"),
    "a blank line at the end": (HEAD + "transfer,{ann},{bob},,1.00,,,\n\n", "blank"),
    "a line of spaces": (HEAD + "transfer,{ann},{bob},,1.00,,,\n  \n", "blank"),
    "a quote that never ends": (HEAD + 'transfer,{ann},{bob},,1.00,"oh,,\n', "malformed_csv"),
    "a huge field": (HEAD + "transfer,{ann},{bob},,1.00," + "x" * 200_000 + ",,\n", "malformed_csv"),
    "a long description": (HEAD + "transfer,{ann},{bob},,1.00," + "x" * 201 + ",,\n", "max_length"),
    "NUL": (HEAD + "transfer,{ann},{bob},,1.00,a\0b,,\n", "nul"),
    "a good row and a bad one": (HEAD + "transfer,{ann},{bob},,1.00,,,\ntransfer,{ann},{bob},,x,,,\n", "invalid"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_as_a_whole(run, ann, bob, lie):
    content, code = LIES[lie]
    before = snapshot()

    exit_code, said = run(content.replace("{ann}", ann).replace("{bob}", bob).replace("{ANN}", ann.upper()))

    assert (exit_code, "Nothing was paid" in said) == (1, True)
    assert f": {code}: " in said, said
    assert snapshot() == before


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(run):
    code, said = run(HEAD.encode() + b"transfer,\xff\n")

    assert (code, "line 2: bad_utf8" in said) == (1, True)


def test_a_client_without_the_scope_pays_nothing(run, client, ann, bob):
    Client.objects.filter(pk=client.pk).update(scopes=["payments:write"])
    before = snapshot()

    assert "treasury:write" in run(HEAD + f"topup,,,{ann},5.00,,,\n")[1]
    assert "payments:backdate" in run(HEAD + row(ann, bob, "1.00", at="2026-01-31T12:00:00Z"))[1]
    assert snapshot() == before


def test_an_unknown_client_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(CommandError, match="There is no client 'nobody'"):
        file = tmp_path / "a.csv"
        file.write_text(HEAD)
        call_command("import_payments", str(file), "--client", "nobody")
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_payments", str(tmp_path / "b.csv"), "--client", "nobody")


def test_quoted_fields_and_other_line_ends_are_read(run, shop, ann, bob):
    assert run(HEAD.replace("\n", "\r\n") + f'transfer,{ann},{bob},,1.00,"Order ""7"", red",,')[0] == 0
    assert run(HEAD.replace("\n", "\r") + f"transfer,{ann},{bob},,1.00,,,\r")[0] == 0
    assert shop.balance(bob) == "2.00"


def test_the_report_of_an_earlier_run_does_not_stay_beside_a_file_that_went_through(run, shop, tmp_path, ann, bob):
    content = HEAD + row(ann, bob, "150.00", key=uuid4().hex)
    assert run(content, "--dry-run")[0] == 1
    assert (tmp_path / "payments.refused.csv").exists()
    shop.post("/topups", {"wallet_id": ann, "amount": "100.00"})

    assert run(content)[0] == 0

    assert not (tmp_path / "payments.refused.csv").exists()


@pytest.mark.parametrize("report", ["payments.csv", "../{folder}/payments.csv", "nowhere/report.csv", "."])
def test_a_report_that_can_not_be_written_stops_all_before_money_moves(run, tmp_path, ann, bob, report):
    content = HEAD + row(ann, bob, "1.00")
    before = snapshot()

    code, said = run(content, "--report", str(tmp_path / report.format(folder=tmp_path.name)))

    assert (code, "--report" in said or "Nothing was paid" in said) == (1, True)
    assert snapshot() == before
    assert (tmp_path / "payments.csv").read_text() == content


def test_a_file_waits_for_a_busy_wallet_and_keeps_its_refusals_if_in_vain(run, tmp_path, ann, bob):
    with connect("owner") as rival:
        rival.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (ann,))
        code, said = run(HEAD + row(bob, uuid4(), "1.00") * 500 + row(ann, bob, "1.00"))

    assert (code, "Run it again" in said, "Refused so far" in said) == (1, True, True)
    assert len((tmp_path / "payments.refused.csv").read_text().splitlines()) == 501


def test_a_client_that_is_not_active_pays_nothing(run, client, ann, bob):
    client.active = False
    client.save()
    before = snapshot()

    assert run(HEAD + row(ann, bob, "1.00"))[0] == 1
    assert snapshot() == before
