"""Statement files of the tests' making."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from ops.statements.sources import NewSource, make_source
from walletplatform.audit.actors import of_command

MAPPING = {
    "day": "Date", "amount": "Amount", "reference": "Reference", "bank_reference": "Id", "text": "Text",
    "currency": "Currency",
}  # fmt: skip
HEADER = ["Date", "Amount", "Currency", "Reference", "Id", "Text"]


def source(asset, *, format="csv", mapping=None, **more):
    wanted = NewSource(
        name=f"bank-{uuid4().hex[:12]}", asset=asset, account=more.pop("account", "treasury"), format=format,
        mapping=MAPPING if mapping is None and format == "csv" else mapping or {}, **more,
    )  # fmt: skip
    return make_source(actor=of_command(), wanted=wanted)


def csv_file(asset, lines, *, header=None, delimiter=","):
    """``lines``: dictionaries with day, amount (signed text), reference, id, text."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header or HEADER)
    for line in lines:
        writer.writerow(
            [line.get("day", days_ago(0)), line["amount"], line.get("currency", asset), line.get("reference", ""),
             line.get("id", ""), line.get("text", "")]
        )  # fmt: skip
    return out.getvalue().encode()


def days_ago(days):
    return datetime.now(UTC).date() - timedelta(days=days)


def camt(asset, entries, *, number=None, version="08", opening="0.00", closing=None, iban="", extra=""):
    """``entries``: dictionaries with amount (signed text), day, reference, id, or ``xml`` as it is."""
    total = Decimal(opening)
    parts = []
    for entry in entries:
        total += Decimal(entry["amount"])
        parts.append(entry.get("xml") or _entry(asset, version=version, **entry))
    closing = f"{total:.2f}" if closing is None else closing
    account = "<Acct>" + (f"<Id><IBAN>{iban}</IBAN></Id>" if iban else f"<Ccy>{asset}</Ccy>") + "</Acct>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>'
        "<GrpHdr><MsgId>m</MsgId><CreDtTm>2026-01-01T00:00:00Z</CreDtTm></GrpHdr>"
        f"<Stmt><Id>{number or uuid4().hex}</Id>{account}{_balance(asset, 'OPBD', opening)}"
        f"{_balance(asset, 'CLBD', closing)}{''.join(parts)}{extra}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def _balance(asset, kind, amount):
    sign = "DBIT" if amount.startswith("-") else "CRDT"
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="{asset}">{amount.lstrip("-")}</Amt>'
        f"<CdtDbtInd>{sign}</CdtDbtInd><Dt><Dt>{days_ago(0)}</Dt></Dt></Bal>"
    )


def _entry(asset, *, version, amount, day=None, reference="", id="", status="BOOK", details="", text="", currency=None):
    sign = "DBIT" if amount.startswith("-") else "CRDT"
    booked = f"<Sts>{status}</Sts>" if int(version) < 8 else f"<Sts><Cd>{status}</Cd></Sts>"
    refs = f"<Refs><EndToEndId>{reference or 'NOTPROVIDED'}</EndToEndId></Refs>"
    details = details or (f"<NtryDtls><TxDtls>{refs}<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls>")
    return (
        f'<Ntry><Amt Ccy="{currency or asset}">{amount.lstrip("-")}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{booked}'
        f"<BookgDt><Dt>{day or days_ago(0)}</Dt></BookgDt>"
        + (f"<AcctSvcrRef>{id}</AcctSvcrRef>" if id else "")
        + details
        + "</Ntry>"
    )
