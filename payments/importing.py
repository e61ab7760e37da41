"""
Payments from a CSV file: read and checked as a whole, then made in batches, each row once for its key.

A row is the same request as over HTTP, with the same key and fingerprint, so a file can be sent again after
a stop, and a row be asked for singly.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from payments.api.batching import OF_THE_TREASURY, OWN_FIELDS, SINGLE, read_item
from payments.api.moving import move_command
from payments.commands import Move
from payments.engine import execute
from payments.state import Outcome
from walletplatform.api.idempotency import fingerprint
from walletplatform.api.problems import Problem
from walletplatform.identity.principal import Principal

COLUMNS = (
    "kind", "sender_wallet_id", "receiver_wallet_id", "wallet_id", "amount", "description", "effective_at",
    "idempotency_key",
)  # fmt: skip
AT_ONCE = 500
# Nobody waits for a file's answer, so it waits for a busy wallet longer than a request does.
PATIENCE_MS = 4_000
MAX_BYTES = 256 * 1024 * 1024
_LINE_END = re.compile(r"\r\n|\r|\n")
_FIELD = r'(?:"(?:[^"]|"")*"|[^",]*)'
_ROW = re.compile(f"{_FIELD}(?:,{_FIELD})*")

# A payment, and the line of the file where it ends.
Row = tuple[int, Move]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line of the file (1 is the header), or why its payment was refused."""

    line: int
    code: str
    detail: str


def read(content: bytes, principal: Principal) -> tuple[list[Row], list[Fault]]:
    """
    Return the payments of a file, each with its line, and everything that is wrong with it.

    A row without a key has one made from the file's content and its place: the same file again repeats
    the same requests.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [], [Fault(content[: error.start].count(b"\n") + 1, "bad_utf8", "The file is not UTF-8.")]
    if "\0" in text:
        return [], [Fault(text[: text.index("\0")].count("\n") + 1, "nul", "The file contains NUL.")]
    digest = hashlib.sha256(content).hexdigest()[:24]
    lines = _LINE_END.split(text.removesuffix("\n").removesuffix("\r"))
    names, fault = _fields(lines[0], 1)
    faults = [fault] if fault else _header_faults(names)
    read: list[Row] = []
    seen: dict[str, tuple[int, bytes]] = {}
    for number, line in enumerate(lines[1:] if not faults else [], 2):
        found = _read_line(line, number, names, f"import-{digest}-{number}", principal)
        if isinstance(found, Move):
            first, same = seen.setdefault(found.key, (number, found.fingerprint))
            if same != found.fingerprint:
                found = Fault(number, "key_twice", f"Line {first} has this key for another payment.")
        if isinstance(found, Move):
            read.append((number, found))
        else:
            faults.append(found)
    if not read and not faults:
        faults.append(Fault(1, "empty", "The file has no payments."))
    return read, faults


def pay(rows: Sequence[Row], *, dry_run: bool) -> Iterator[tuple[int, list[Fault]]]:
    """Make the payments in batches; yield how many each batch had, and those refused."""
    for first in range(0, len(rows), AT_ONCE):
        batch = rows[first : first + AT_ONCE]
        outcomes = execute([move for _, move in batch], dry_run=dry_run, patience_ms=PATIENCE_MS)
        yield (
            len(batch),
            [
                _refusal(line, outcome)
                for (line, _), outcome in zip(batch, outcomes, strict=True)
                if outcome.status >= 400
            ],
        )


def _refusal(line: int, outcome: Outcome) -> Fault:
    problem = orjson.loads(outcome.body)
    return Fault(line, problem["code"], problem["detail"])


def _fields(line: str, number: int) -> tuple[list[str], Fault | None]:
    """
    Return the fields of a line (RFC 4180).

    A line is a row: a quote that nobody closed must not make one payment's text out of the next ones.
    """
    if not line.strip():
        return [], Fault(number, "blank", "The line is blank.")
    if not _ROW.fullmatch(line):
        return [], Fault(number, "malformed_csv", "A quote must open and close a whole field, on one line.")
    try:
        return next(csv.reader([line], strict=True)), None
    except csv.Error as error:
        return [], Fault(number, "malformed_csv", f"{error}.")


def _header_faults(names: Sequence[str]) -> list[Fault]:
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        return [Fault(1, "unknown_column", f"{unknown[0][:60]!r} is no column. Columns: {', '.join(COLUMNS)}.")]
    if len(set(names)) < len(names):
        return [Fault(1, "repeated_column", "A column stands twice.")]
    return [] if "amount" in names else [Fault(1, "missing_column", "There is no column amount.")]


def _read_line(line: str, number: int, names: list[str], key: str, principal: Principal) -> Move | Fault:
    values, fault = _fields(line, number)
    if fault:
        return fault
    if len(values) != len(names):
        return Fault(number, "wrong_width", "The row has more or fewer fields than the header.")
    item = {name: text for name, text in zip(names, values, strict=True) if text != ""}
    item.setdefault("idempotency_key", key)
    try:
        kind, fields, _ = read_item(item, number)
    except Problem as problem:
        error = (problem.errors or [{"pointer": "", "code": problem.code, "detail": problem.detail}])[0]
        return Fault(number, error["code"], f"{error['pointer'].lstrip('/')}: {error['detail']}")
    needed = "treasury:write" if kind in OF_THE_TREASURY else "payments:write"
    for scope in [needed, *(["payments:backdate"] if "effective_at" in fields else [])]:
        if scope not in principal.scopes:
            return Fault(number, "forbidden", f"The client lacks the scope {scope}.")
    path = SINGLE[kind][0]
    alone = {name: text for name, text in item.items() if name not in OWN_FIELDS}
    return move_command(
        kind,
        fields,
        {
            "principal": principal,
            "key": item["idempotency_key"],
            "fingerprint": fingerprint("POST", path, alone),
            "request_id": key,
            "traceparent": "",
        },
    )
