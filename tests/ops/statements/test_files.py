"""A statement's file is taken whole and once, or refused with the place that is wrong; nothing is kept then."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ops.approvals.refusing import Refused
from ops.statements.importing import import_file
from ops.statements.mapping import to_mapping
from ops.statements.models import Statement, StatementLine, StatementSource
from ops.statements.reading import MOST_BYTES
from tests.money import rows
from tests.ops.statements.files import camt, csv_file, days_ago, source
from walletplatform.audit.actors import of_command
from walletplatform.audit.models import AuditEntry


def take(bank, content, name=None):
    name = name or f"{uuid4().hex}.csv"
    return import_file(actor=of_command(), source=bank, file_name=name, content=content)


def kept():
    return rows("SELECT (SELECT count(*) FROM statements), (SELECT count(*) FROM statement_lines),"
                " (SELECT count(*) FROM audit_entries)")  # fmt: skip


def lines(statement):
    return list(statement.lines.order_by("number").values_list("direction", "amount", "reference", "bank_reference"))


def euro_bank(format):
    """A source in the currency that all tests share, of which there is one for each account."""
    kind = "treasury" if format == "csv" else "settlement"
    found = StatementSource.objects.filter(asset_id="EUR", account__kind=kind).first()
    return found or source("EUR", format=format, account=kind)


def balance_of(content, day):
    """The camt.053 file with its opening balance of another day; and the day that it was of."""
    [before] = re.findall(rb"<Dt><Dt>([0-9-]+)</Dt>", content)[:1]
    return content.replace(b"<Dt>%b</Dt>" % before, f"<Dt>{day}</Dt>".encode(), 1), date.fromisoformat(before.decode())


HEAD = "Date,Amount,Currency,Reference,Id,Text\n"
TODAY = days_ago(0)
# What is wrong with a CSV file of EUR: the file, and what the refusal says.
BAD_CSV = {
    "nothing": (b"", "The file is empty."),
    "only its first line": (HEAD, "There is no line in the file."),
    "a column missing": ("Date,Amount\n", "Line 1: There is no column 'Reference', 'Id', 'Text', 'Currency'."),
    "a column twice": ("Date,Amount,Amount,Currency,Reference,Id,Text\n", "Line 1: The column 'Amount' is there twice"),
    "a cell too many": (HEAD + f"{TODAY},1.00,EUR,a,b,c,d\n", "Line 2: It has 7 cells, and the first line 6."),
    "cut off": (HEAD + f'{TODAY},1.00,EUR,a,b,"c', "Line 2: Unexpected end of data."),
    "another asset": (HEAD + f"{TODAY},1.00,USD,,,\n", "Line 2: The currency is 'USD', and this source is of EUR."),
    "too many decimals": (HEAD + f"{TODAY},1.001,EUR,,,\n", "Line 2: 1.001 has more decimals than EUR, which has 2."),
    "nothing moved": (HEAD + f"{TODAY},0.00,EUR,,,\n", "Line 2: 0.00 is no amount that can have moved."),
    "too much": (HEAD + f"{TODAY},{10**17},EUR,,,\n", "is no amount that can have moved."),
    "the day to come": (HEAD + f"{TODAY + timedelta(days=3)},1.00,EUR,,,\n", "is in the future."),
    "a day that is none": (HEAD + "2026-02-30,1.00,EUR,,,\n", "Line 2: '2026-02-30' is not a day"),
    "a day in other digits": (HEAD + "٢٠٢٦-01-01,1.00,EUR,,,\n", "is not a day as the mapping has it."),
    "a day of another age": (HEAD + "1926-01-01,1.00,EUR,,,\n", "is too long ago."),
    "a reference twice": (
        HEAD + f"{TODAY},1.00,EUR,,x,\n{TODAY},2.00,EUR,,x,\n", "Line 3: The bank's reference 'x' was on line 2",
    ),
    "a control character": (HEAD + f"{TODAY},1.00,EUR,,,a\x07b\n", "Line 2: The text has control characters in it."),
    "a zero byte": (HEAD + f"{TODAY},1.00,EUR,,,a\0b\n", "Line 2: There are zero bytes in it."),
    "no UTF-8": ((HEAD + f"{TODAY},1.00,EUR,,,caf").encode() + b"\xe9\n", "Line 2: That is no UTF-8."),
    "a long text": (HEAD + f"{TODAY},1.00,EUR,,,{'x' * 501}\n", "Line 2: The text is longer than 500 characters."),
    "many lines": (HEAD + f"{TODAY},1.00,EUR,,,\n" * 100_001, "A file has 100,000 lines at most."),
    "a huge file": (b"x" * (MOST_BYTES + 1), "A file has 20 MiB at most."),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), "Line 1: That is no UTF-8."),
}  # fmt: skip
AMOUNTS = [
    "NaN",
    "Infinity",
    "1e3",
    "--5",
    "+-5",
    "5-",
    "(5)",
    "=1+1",
    "1,000.00",
    "0x10",
    "٣",
    "1 000",
    "1.",
    ".5",
    "",
]


@pytest.mark.parametrize("name", BAD_CSV)
def test_a_csv_that_is_not_right_is_refused_whole_with_the_line(name):
    content, says = BAD_CSV[name]
    bank = euro_bank("csv")
    before = kept()
    with pytest.raises(Refused) as refusal:
        take(bank, content if isinstance(content, bytes) else content.encode())
    assert says in refusal.value.detail
    assert kept() == before


@pytest.mark.parametrize("amount", AMOUNTS)
def test_what_is_no_plain_amount_is_none(amount):
    bank = euro_bank("csv")
    before = kept()
    good = f"{TODAY},1.00,EUR,,,\n"
    with pytest.raises(Refused, match=r"Line 3: .* is not an amount"):
        take(bank, (HEAD + good + f'{TODAY},"{amount}",EUR,,,\n').encode())
    assert kept() == before


def test_a_bank_writes_as_its_country_does(rare_asset):
    bank = source(rare_asset, mapping={
        "day": "Buchungstag", "amount": "Betrag", "reference": "Verwendung", "encoding": "latin-1", "delimiter": ";",
        "date_format": "%d.%m.%Y", "point": ",", "groups": ".",
    })  # fmt: skip
    text = f'Buchungstag;Betrag;Verwendung\n{days_ago(1):%d.%m.%Y};"1.234,50";Müller\n{days_ago(0):%d.%m.%Y};-7;=1+1\n'

    [statement] = take(bank, text.encode("latin-1"), "Auszug 7.csv")

    assert lines(statement) == [("CREDIT", 123450, "Müller", ""), ("DEBIT", 700, "=1+1", "")]
    assert (statement.number, statement.begins_on, statement.ends_on) == ("Auszug 7", days_ago(1), days_ago(0))
    with pytest.raises(Refused, match="is not an amount"):
        take(bank, f"Buchungstag;Betrag;Verwendung\n{days_ago(1):%d.%m.%Y};1.23,50;a\n".encode())


@pytest.mark.parametrize(
    ("mapping", "row", "expected"),
    [
        ({"day": "D", "amount_in": "In", "amount_out": "Out"}, "{day},,5.00,", ("DEBIT", 500)),
        ({"day": "D", "amount": "In", "direction": "Out", "out_word": "D"}, "{day},5.00,D,", ("DEBIT", 500)),
        ({"day": "D", "amount": "In", "direction": "Out", "out_word": "D"}, "{day},5.00,C,", ("CREDIT", 500)),
    ],
)
def test_what_went_out_is_said_in_three_ways(rare_asset, mapping, row, expected):
    bank = source(rare_asset, mapping=mapping)
    content = "\ufeffD,In,Out,\n" + row.format(day=TODAY) + "\n\n"
    [statement] = take(bank, content.encode())
    assert [line[:2] for line in lines(statement)] == [expected]


@pytest.mark.parametrize("words", [["d"], [""], ["C", "c"], ["D", "C", "X"]])
def test_a_direction_is_one_of_two_words_and_never_guessed(rare_asset, words):
    bank = source(rare_asset, mapping={"day": "D", "amount": "In", "direction": "Out", "out_word": "D"})
    content = "D,In,Out\n" + "".join(f"{TODAY},5.00,{word}\n" for word in words)
    with pytest.raises(Refused, match="The direction"):
        take(bank, content.encode())


def test_a_statement_covers_no_day_that_only_its_opening_balance_is_of(rare_asset):
    content = camt(rare_asset, [{"amount": "7.00"}]).replace(b"OPBD", b"PRCD")
    content, today = balance_of(content, days_ago(1))
    [statement] = take(source(rare_asset, format="camt.053"), content)
    assert (statement.begins_on, statement.ends_on) == (today, today)


@pytest.mark.parametrize("day", ["in 5 days", "1999-12-31", "9999-12-31"])
def test_a_balance_of_a_day_that_cannot_be_is_refused(rare_asset, day):
    day = days_ago(-5) if day == "in 5 days" else day
    content, _ = balance_of(camt(rare_asset, [{"amount": "7.00"}]), day)
    with pytest.raises(Refused, match=r"in the future|too long ago"):
        take(source(rare_asset, format="camt.053"), content)


@pytest.mark.parametrize(
    "given",
    [
        {}, {"day": "D"}, {"day": "D", "amount": "A", "amount_in": "B"}, {"day": "D", "amount_in": "A"},
        {"day": "D", "amount": "D"}, {"day": "D", "amount": "A", "direction": "X"}, {"day": "D", "amount": 1},
        {"day": "D", "amount": "A", "encoding": "utf-7"}, {"day": "D", "amount": "A", "point": ",", "groups": ","},
        {"day": "D", "amount": "A", "colour": "B"}, {"day": "D", "amount": "A", "delimiter": "x"},
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_followed_is_refused(given):
    with pytest.raises(Refused):
        to_mapping(given)


@pytest.mark.parametrize("version", ["02", "04", "08", "13"])
def test_camt_of_each_version_is_read_with_its_balances(rare_asset, version):
    bank = source(rare_asset, format="camt.053", identifier="DE02 1203 0000 0000 2020 51")
    content = camt(rare_asset, [
        {"amount": "100.00", "reference": "INV-1", "id": "a1", "text": "thank you"},
        {"amount": "-30.00", "id": "a2"}, {"amount": "0", "xml": "<Ntry><Sts>PDNG</Sts></Ntry>"},
    ], version=version, opening="-5.00", number="2026/17", iban="DE02120300000000202051")  # fmt: skip

    [statement] = take(bank, content, "a.xml")

    assert (statement.number, statement.opening, statement.closing) == ("2026/17", -500, 6500)
    assert (statement.credits, statement.debits, statement.line_count) == (10000, 3000, 2)
    assert lines(statement) == [("CREDIT", 10000, "INV-1", "a1"), ("DEBIT", 3000, "", "a2")]


def batch(asset, *amounts, said=None):
    parts = "".join(
        f"<TxDtls><Refs><EndToEndId>e{n}</EndToEndId></Refs><Amt Ccy='{asset}'>{amount}</Amt></TxDtls>"
        for n, amount in enumerate(amounts)
    )
    return f"<NtryDtls><Btch><NbOfTxs>{said or len(amounts)}</NbOfTxs></Btch>{parts}</NtryDtls>"


def test_a_batch_is_its_transactions(rare_asset):
    bank = source(rare_asset, format="camt.053")
    content = camt(rare_asset, [{"amount": "-30.00", "id": "b", "details": batch(rare_asset, "10.00", "20.00")}])

    [statement] = take(bank, content)

    assert lines(statement) == [("DEBIT", 1000, "e0", "b/1"), ("DEBIT", 2000, "e1", "b/2")]


# What is wrong with a camt.053 file: what it is made of, and what the refusal says.
BAD_CAMT = {
    "a sum that is none": ({"closing": "7.01"}, "The closing balance is 7.01, but the opening one and the"),
    "another currency": ({"currency": "USD"}, "entry 1: The currency is 'USD', and this source is of EUR."),
    "too many decimals": ({"amount": "7.000"}, "has more decimals than EUR"),
    "an exponent": ({"amount": "7E0"}, "is not an amount"),
    "the day to come": ({"day": TODAY + timedelta(days=5)}, "is in the future."),
    "no status that is known": ({"status": "DONE"}, "Its status is 'DONE'."),
    "a batch that does not add up": ({"details": batch("EUR", "3.00", "3.00")}, "It is of 7.00, and its transactions"),
    "a batch cut short": ({"details": batch("EUR", "3.00", "4.00", said=3)}, "The batch is of '3' transactions, and 2"),
    "one page of two": (
        {"extra": "<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>"}, "one page of several",
    ),
    "no declared end": ({"cut": 40}, "That is no XML, or only its beginning"),
    "another message": ({"replace": (b"camt.053", b"camt.052")}, "That is no camt.053 of version 02 or later"),
    "version 01": ({"replace": (b"053.001.08", b"053.001.01")}, "That is no camt.053 of version 02 or later"),
    "no opening": ({"replace": (b"OPBD", b"ITBD")}, "It has no opening balance"),
    "no direction": ({"replace": (b"CRDT</CdtDbtInd><Sts>", b"BOTH</CdtDbtInd><Sts>")}, "neither CRDT nor DBIT"),
    "an entity": (
        {"replace": (b"<Document", b'<!DOCTYPE x [<!ENTITY a "b">]><Document')}, "declares no document type",
    ),
    "an encoding that is none": ({"replace": (b"UTF-8", b"utf-99")}, "encoding"),
    "a deep nest": ({"extra": "<a>" * 60 + "</a>" * 60}, "nested more than 40 deep"),
    "no XML": ({"replace": (b"<", b"(")}, "That is no XML"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CAMT)
def test_a_camt_file_that_is_not_right_is_refused_whole(name):
    spoilt, says = BAD_CAMT[name]
    spoilt = dict(spoilt)
    whole = {key: spoilt.pop(key) for key in ("closing", "extra") if key in spoilt}
    cut, (old, new) = spoilt.pop("cut", 0), spoilt.pop("replace", (b"", b""))
    content = camt("EUR", [{"amount": "7.00"} | spoilt], **({"closing": "7.00"} | whole))
    content = content[: len(content) - cut] if cut else content
    content = content.replace(old, new) if old else content
    bank = euro_bank("camt.053")
    before = kept()
    with pytest.raises(Refused) as refusal:
        take(bank, content)
    assert says in refusal.value.detail
    assert kept() == before


def test_a_bomb_of_entities_is_refused_at_once():
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    content = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{levels}]><Document>&l9;</Document>'.encode()
    with pytest.raises(Refused, match="declares no document type"):
        take(euro_bank("camt.053"), content)


def test_the_account_of_somebody_else_is_refused(rare_asset):
    bank = source(rare_asset, format="camt.053", identifier="DE02120300000000202051")
    with pytest.raises(Refused, match="not of this source's"):
        take(bank, camt(rare_asset, [{"amount": "1.00"}], iban="GB33BUKB20201555555555"))


def test_nothing_is_taken_twice(rare_asset):
    bank = source(rare_asset)
    content = csv_file(rare_asset, [{"amount": "1.00", "id": "one"}])
    take(bank, content, "May.csv")
    before = kept()
    for again, name, says in (
        (content, "June.csv", "This very file was imported before, as 'May'"),
        (csv_file(rare_asset, [{"amount": "2.00"}]), "May.csv", "A statement 'May' of"),
        (
            csv_file(rare_asset, [{"amount": "2.00", "id": "one"}]),
            "June.csv",
            "Line 2: The bank's reference 'one' was in",
        ),
    ):
        with pytest.raises(Refused, match=says):
            take(bank, again, name)
    assert kept() == before


def test_the_same_file_twice_at_once_is_taken_once(rare_asset):
    bank = source(rare_asset)
    content = csv_file(rare_asset, [{"amount": "1.00", "id": "one"}])

    def attempt(_):
        try:
            return len(take(bank, content, "May.csv"))
        except Refused:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [0, 0, 0, 1]
    assert StatementLine.objects.filter(source=bank).count() == 1


def test_the_commands_make_a_source_import_and_say_what_came_of_it(rare_asset, tmp_path, capsys):
    name = f"bank-{uuid4().hex[:8]}"
    mapping = '{"day": "Date", "amount": "Amount"}'
    call_command("create_statement_source", name, asset=rare_asset, format="csv", mapping=mapping)
    file = tmp_path / "May.csv"
    file.write_bytes(csv_file(rare_asset, [{"amount": "1.00"}]))

    call_command("import_statement", str(file), source=name)

    assert "May: 1 lines, 0 of them matched" in capsys.readouterr().out
    statement = Statement.objects.get(source__name=name)
    assert AuditEntry.objects.get(object_id=str(statement.pk)).action == "statement.import"
    with pytest.raises(CommandError, match="This very file was imported before"):
        call_command("import_statement", str(file), source=name)
    with pytest.raises(CommandError, match="There is no such source"):
        call_command("import_statement", str(file), source="nowhere")
    with pytest.raises(CommandError, match="of this account, already"):
        call_command("create_statement_source", "x", asset=rare_asset, format="csv", mapping=mapping)
