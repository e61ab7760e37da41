"""How the console shows things: links, ids to copy, amounts, states, and a transaction's double entry."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ledger.models import Account, Asset, Entry
from ledger.money import to_text


def link(model: type[Model], pk: object, text: object | None = None) -> SafeString:
    """A link to a row's page in the console."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[pk])
    return format_html('<a class="underline" href="{}">{}</a>', url, text if text is not None else pk)


def listed(model: type[Model], text: str, **filters: object) -> SafeString:
    """A link to the console's list of a model, searched for an id."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return format_html('<a class="underline" href="{}?{}">{}</a>', url, urlencode(filters), text)


def identifier(model: type[Model], pk: object) -> SafeString:
    """A long id, shortened to its end: a link to its page, and a button that copies it whole."""
    return format_html(
        '<span class="ops-id">{}<button type="button" class="ops-copy" data-copy="{}" aria-label="Copy {}">'
        '<span class="material-symbols-outlined" aria-hidden="true">content_copy</span></button></span>',
        link(model, pk, shortened(pk)), pk, pk,
    )  # fmt: skip


def shortened(pk: object) -> str:
    """The end of an id: of a UUIDv7 it is the part that differs between neighbours."""
    return f"…{str(pk)[-8:]}"


def money(minor: int | None, asset: Asset) -> str:
    """An amount as a person reads it, never broken over two lines: ``12.50 EUR``."""
    return "unbounded" if minor is None else f"{to_text(minor, asset.scale)}\N{NO-BREAK SPACE}{asset.code}"


def badge(text: str, colour: str = "neutral") -> SafeString:
    """A state on a page, as lists show it: a word on a colour (success, info, warning, danger, neutral)."""
    return format_html('<span class="ops-badge ops-{}">{}</span>', colour, text)


def account_link(account: Account) -> SafeString:
    """A link to an account by what it is: a wallet's to the wallet, by address, as the ledger knows no wallets."""
    if account.kind == Account.Kind.WALLET:
        url = reverse("admin:wallets_wallet_change", args=[account.id])
        return format_html('<a class="underline" href="{}">Wallet {}</a>', url, shortened(account.id))
    return link(Account, account.id, account.get_kind_display())


def postings_table(transaction_id: UUID) -> SafeString:
    """A transaction's double entry, as an accountant reads it: account, debit, credit, balance after, and the sums."""
    found = Entry.objects.filter(transaction_id=transaction_id).select_related("account__asset").order_by("leg")
    entries = list(found)
    if not entries:
        return SafeString("<p>No postings: nothing moved.</p>")
    rows = format_html_join(
        "",
        '<tr><td>{}</td><td class="ops-figure">{}</td><td class="ops-figure">{}</td>'
        '<td class="ops-figure">{}</td></tr>',
        (
            (
                account_link(entry.account),
                money(entry.amount, entry.account.asset) if entry.direction == "DEBIT" else "",
                money(entry.amount, entry.account.asset) if entry.direction == "CREDIT" else "",
                money(entry.balance_after, entry.account.asset),
            )
            for entry in entries
        ),
    )
    return format_html(
        '<div class="ops-scroll" tabindex="0"><table class="ops-postings">'
        '<caption class="ops-unseen">Double entry</caption>'
        '<thead><tr><th scope="col">Account</th><th scope="col" class="ops-figure">Debit</th>'
        '<th scope="col" class="ops-figure">Credit</th><th scope="col" class="ops-figure">Balance after</th></tr>'
        "</thead><tbody>{}</tbody><tfoot>{}</tfoot></table></div>",
        rows,
        _sums(entries),
    )


def _sums(entries: list[Entry]) -> SafeString:
    """A line of sums for each asset."""
    assets = {entry.account.asset_id: entry.account.asset for entry in entries}
    lines = []
    for code, asset in assets.items():
        debits, credits = (
            sum(one.amount for one in entries if one.account.asset_id == code and one.direction == direction)
            for direction in ("DEBIT", "CREDIT")
        )
        balanced = badge("balanced", "success") if debits == credits else badge("not balanced", "danger")
        lines.append((code, balanced, money(debits, asset), money(credits, asset)))
    return format_html_join(
        "",
        '<tr><td>Total {} {}</td><td class="ops-figure">{}</td><td class="ops-figure">{}</td><td></td></tr>',
        lines,
    )
