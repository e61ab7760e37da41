"""What a file costs to be read grows with it alone, and what could be read as something else is not read at all."""

from __future__ import annotations

from collections import Counter

import pytest

from ops.statements import camt as reader
from ops.statements.camt import read_camt
from ops.statements.csv_files import IN_WORDS, read_csv
from ops.statements.mapping import to_mapping
from ops.statements.reading import MOST_LINES, Expected, Unreadable
from tests.ops.statements.files import camt, days_ago

TODAY = days_ago(0)
EUR = Expected("EUR", 2, TODAY)


def batch_first(count):
    """An entry of ``count`` transactions of 0.01 each, which says after them what it is itself."""
    parties = "<RltdPties><Dbtr><Nm>who pays</Nm></Dbtr><Cdtr><Nm>who is paid</Nm></Cdtr></RltdPties>"
    detail = f"<NtryDtls><TxDtls><Amt Ccy='EUR'>0.01</Amt>{parties}</TxDtls></NtryDtls>"
    own = "<RmtInf><Ustrd>of its own</Ustrd></RmtInf></TxDtls>"
    return (
        f"<Ntry>{detail * (count - 1)}{detail.replace('</TxDtls>', own)}<Amt Ccy='EUR'>{count / 100:.2f}</Amt>"
        f"<CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{TODAY}</Dt></BookgDt>"
        "<AcctSvcrRef>b</AcctSvcrRef><AddtlNtryInf>of the  batch</AddtlNtryInf></Ntry>"
    )


def read_batch(count):
    [statement] = read_camt(camt("EUR", [{"amount": f"-{count / 100:.2f}", "xml": batch_first(count)}]), EUR)
    return statement.lines


def test_a_batch_of_many_transactions_is_read_by_what_its_entry_says_after_them():
    lines = read_batch(3_000)

    assert {(line.direction, line.amount, line.counterparty, line.booked_on) for line in lines} == {
        ("DEBIT", 1, "who is paid", TODAY)
    }
    assert [line.bank_reference for line in lines] == [f"b/{n}" for n in range(1, 3_001)]
    assert [line.text for line in lines] == ["of the batch"] * 2_999 + ["of its own"]


def test_an_entry_is_asked_as_often_for_many_transactions_as_for_two(monkeypatch):
    asked, text = Counter(), reader._text

    def counted(parent, path):
        asked[parent.tag, path] += 1
        return text(parent, path)

    def questions(count):
        asked.clear()
        read_batch(count)
        return {path: times for (tag, path), times in asked.items() if tag == "Ntry"}

    monkeypatch.setattr(reader, "_text", counted)
    assert questions(2) == questions(50)


def test_the_parser_is_given_large_pieces(monkeypatch):
    """It scans a comment as long as the file once for each piece."""
    given, parse = [], reader.iterparse

    def parsed(source, **how):
        while piece := source.read(16 * 1024):
            given.append(len(piece))
        source.seek(0)
        return parse(source, **how)

    monkeypatch.setattr(reader, "iterparse", parsed)
    content = camt("EUR", [], extra=f"<!--{'-x' * 1024**2}-->")
    assert read_camt(content, EUR)[0].lines == []
    assert (len(given), sum(given)) == (3, len(content))


def unfinished(inside):
    """A file that breaks off after ``inside``: whoever reads on does not see that there was too much."""
    return camt("EUR", []).partition(b"</Stmt>")[0] + inside


@pytest.mark.parametrize(
    "inside",
    [b"<Ntry/>" * (MOST_LINES + 1), b"<Ntry><NtryDtls>" + b"<TxDtls/>" * (MOST_LINES + 1)],
    ids=["entries", "transactions"],
)
def test_too_many_lines_are_refused_at_the_first_one_too_many(inside):
    with pytest.raises(Unreadable, match=r"A file has 100,000 lines at most, be they entries or transactions\."):
        read_camt(unfinished(inside), EUR)


@pytest.mark.parametrize("inside", [b"<a/>" * 1_001, b"<a b='' c=''/>" * 334], ids=["elements", "attributes"])
@pytest.mark.parametrize("end", [b"", b"</Stmt>"], ids=["in a statement", "after it"])
def test_too_many_elements_are_refused_at_the_first_one_too_many(monkeypatch, inside, end):
    monkeypatch.setattr(reader, "MOST_ELEMENTS", 1_000)
    with pytest.raises(Unreadable, match=r"It has more than 1,000 elements and attributes\."):
        read_camt(unfinished(end + inside), EUR)


def read_rows(mapping, *rows):
    content = "\n".join(("D,A,W", *rows)).encode()
    return read_csv(content, to_mapping({"day": "D", "amount": "A"} | mapping), EUR, number="May").lines


@pytest.mark.parametrize("text", ["202611", "2026111", "2026011", "202611 1", "20261"])
def test_a_day_without_separators_is_written_in_full(text):
    with pytest.raises(Unreadable, match=f"Line 2: '{text}' is not a day as the mapping has it"):
        read_rows({"date_format": "%Y%m%d"}, f"{text},1.00,")


@pytest.mark.parametrize(
    ("date_format", "text"),
    [("%Y%m%d", "20260201"), ("%d.%m.%Y", "1.2.2026"), ("%d.%m.%Y", "01.02.2026"), ("%m/%d/%Y", "2/1/2026"),
     ("%Y-%m-%d", "2026-2-1")],
)  # fmt: skip
def test_a_day_with_separators_may_do_without_zeros(date_format, text):
    [line] = read_rows({"date_format": date_format}, f"{text},1.00,")
    assert f"{line.booked_on}" == "2026-02-01"


def read_words(out_word, *words):
    lines = read_rows({"direction": "W", "out_word": out_word}, *(f"{TODAY},1.00,{word}" for word in words))
    return [line.direction for line in lines]


@pytest.mark.parametrize("word", ["DBIT", "S", "x", "0"])
def test_a_word_alone_is_not_taken_for_what_came_in(word):
    says = f"Line 2: The direction '{word}' is not known to mean in, and no line says DEBIT, which is the mapping's out"
    with pytest.raises(Unreadable, match=says):
        read_words("DEBIT", word, word)


@pytest.mark.parametrize("word", [*sorted(IN_WORDS), "crdt", "Haben"])
def test_a_word_that_is_known_comes_in(word):
    assert read_words("DEBIT", word, word) == ["CREDIT", "CREDIT"]


@pytest.mark.parametrize("words", [["Auszahlung", "Einzahlung"], ["Einzahlung", "Auszahlung"]])
def test_beside_the_word_for_out_the_other_one_is_in(words):
    directions = {"Auszahlung": "DEBIT", "Einzahlung": "CREDIT"}
    assert read_words("Auszahlung", *words) == [directions[word] for word in words]
