"""What each kind of finding means to a person, what they do about it, and which of them are serious."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """``serious``: money itself may be wrong, so that one person alone does not resolve it."""

    title: str
    means: str
    do: str
    serious: bool = False


_CORRUPT = (
    "Nobody can do this through the platform: suspect a change made in the database itself. Compare with the sealed "
    "blocks and the latest backup, and tell whoever runs the database before anything is put right."
)
_READ_MODEL = "Nothing moved wrongly. Build the read model anew: manage.py replay NAME --rebuild."
_TOLD = "Receivers may have heard too much or too little. Look at the log and the outbox before anything is sent again."

KINDS = {
    "account_chain": Kind(
        "Entries do not follow each other",
        "An entry is missing, doubled or changed: a balance after it does not follow from the one before.", _CORRUPT,
        True,
    ),
    "account_balance": Kind(
        "Balance is not the sum of the entries",
        "The account shows an amount that its entries do not lead to.", _CORRUPT, True,
    ),
    "account_held": Kind(
        "Held amount is not what authorizations hold",
        "The account sets aside more or less than its open authorizations ask for, so what is available is wrong.",
        "Compare the account's holds with its authorizations, then void or capture what is left over.", True,
    ),
    "account_overspent": Kind(
        "Less available than allowed",
        "More has left the account, or is held on it, than may be.", _CORRUPT, True,
    ),
    "account_was_overspent": Kind(
        "Was overspent once",
        "An entry of the past left the account with less than it may have today.",
        "See whether an overdraft was allowed then and taken back since: that explains it. Otherwise: " + _CORRUPT,
        True,
    ),
    "asset_entries": Kind(
        "Entries of an asset do not add up to 0", "Money has come from nowhere, or gone nowhere.", _CORRUPT, True
    ),
    "asset_balances": Kind(
        "Balances of an asset do not add up to 0", "Money has come from nowhere, or gone nowhere.", _CORRUPT, True
    ),
    "transaction_unbalanced": Kind(
        "Transaction does not balance", "It took more than it gave, or gave more than it took.", _CORRUPT, True
    ),
    "transaction_entries": Kind(
        "Transaction has other entries than it says", "Some of its entries are missing, or too many.", _CORRUPT, True
    ),
    "entry_orphaned": Kind(
        "Entry of no transaction or account", "It stands for a movement that nothing explains.", _CORRUPT, True
    ),
    "wallet_account": Kind(
        "Wallet and account disagree",
        "The wallet's status says something else than its account: money may move, or be stuck, against the status.",
        "Suspend the wallet, and set its status again once it is clear which of the two is right.", True,
    ),
    "payment_posting": Kind(
        "Payment and its transaction disagree",
        "What was posted is not what the payment says, or something was posted that it does not say.", _CORRUPT, True,
    ),
    "payment_failure": Kind(
        "Failure and its reason disagree",
        "A failed payment has no reason on record, or one that did not fail has one.", _CORRUPT,
    ),
    "payment_counters": Kind(
        "Captured or refunded amount is wrong",
        "The payment counts more or less as captured or given back than its captures and refunds moved.", _CORRUPT,
        True,
    ),
    "payment_told": Kind("Payment is not told as it happened", "The log says something else of a payment.", _TOLD),
    "wallet_told": Kind("Wallet is not told as it happened", "The log says something else of a wallet.", _TOLD),
    "event_untrue": Kind("Told and did not happen", "An event tells of something that there is not.", _TOLD),
    "log_gap": Kind("Gap in the log", "An event's place is empty: it was taken out, or the log was cut off.", _TOLD),
    "payment_figures": Kind(
        "Figures are not the payments", "What dashboards and alerts read has been counted wrongly.", _READ_MODEL
    ),
    "client_figures": Kind(
        "Clients' figures are not their payments", "What failure analysis and alerts read has been counted wrongly.",
        _READ_MODEL,
    ),
    "failed_payments": Kind(
        "List of failed payments is wrong", "A failure is listed that there is not, or missing, or told otherwise.",
        _READ_MODEL,
    ),
    "settlement_totals": Kind(
        "Settlement totals are not the entries", "A day's totals of an account have been counted wrongly.", _READ_MODEL
    ),
    "open_holds": Kind(
        "List of open holds is wrong", "A hold is listed that there is not, or missing, or of another amount.",
        _READ_MODEL,
    ),
    "account_floor": Kind(
        "Wallet may go lower than was approved", "Its floor is not the one that two people agreed on last.", _CORRUPT,
        True,
    ),
    "limit_counters": Kind(
        "Limit is not counted rightly",
        "What counts towards a wallet's limit a day is not what it paid: it may pay too much or too little.", _CORRUPT,
        True,
    ),
    "statement_counts": Kind(
        "Statement does not count its lines rightly", "The share that is shown as matched is wrong.",
        "Nothing moved wrongly. Look at the statement's lines: each says whether it is matched.",
    ),
    "statement_match": Kind(
        "Match does not add up",
        "What was matched with a statement is not there, or not of the amounts that the match says.",
        "Compare the match's lines with its entries; what is wrong is corrected by an entry, never in the match.",
        True,
    ),
}  # fmt: skip
# What stops a wallet: the amount that it shows, holds or has left may be wrong.
FREEZING = frozenset({"account_balance", "account_chain", "account_held", "account_overspent"})


def kind_of(name: str) -> Kind:
    """Return what is known of a kind; a kind that is new here has its name for a title."""
    return KINDS.get(name, Kind(name.replace("_", " ").capitalize(), "", ""))
