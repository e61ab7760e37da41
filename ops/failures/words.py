"""
What each failure code means, in words for people on duty: the console, alerts and summaries say it the same way.

Every code that a payment can fail with has its words (``tests/ops/test_failure_words.py``); a code of a later release
that is read by an older one is shown by its name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """``title`` is for lists; ``cause`` is what it mostly comes from; ``step`` is what to do next."""

    title: str
    meaning: str
    cause: str
    step: str


CATEGORIES = {
    "customer": "Customer",
    "client": "Client system",
    "limit": "Limit",
    "risk": "Risk",
    "platform": "Platform",
}
WORDS = {
    "insufficient_funds": Words(
        "Insufficient funds",
        "The sender had less available than the payment needed. What is held for authorizations is not available.",
        "The customer spent more than there was, or open holds keep the balance back.",
        "Compare the wallet's balance with what it holds. Many wallets of one client at once: ask the client whether "
        "its top-ups arrive.",
    ),
    "wallet_not_active": Words(
        "Wallet not active",
        "One of the two wallets was not opened yet, is suspended, or is closed; such a wallet moves no money.",
        "The wallet was suspended, or the client pays with a wallet that it never activated.",
        "Open the wallet and read who suspended it, and why. Unfreezing needs a second person.",
    ),
    "limit_exceeded": Words(
        "Limit exceeded",
        "The payment would have passed a limit on its amount, on the day's total, or on the number of payments.",
        "The customer reached the limit, or somebody tries out a stolen account with many payments.",
        "Look at the wallet's payments of the last hours. A higher limit needs a second person.",
    ),
    "payment_denied": Words(
        "Denied",
        "A compliance rule denied the payment, or somebody did who reviewed it.",
        "The payment policy does not let it pass, or a reviewer decided against it.",
        "Nothing is to be retried: the denial is final. Ask risk if the customer wants to know more.",
    ),
    "review_required": Words(
        "Review required",
        "The policy wants a person's decision, and a payment within an all-or-none batch cannot wait for one.",
        "The client sent a payment that needs a review in an atomic batch.",
        "Ask the client to send this payment alone; it then waits for its review.",
    ),
    "invalid_state": Words(
        "Not possible in this state",
        "A capture, void or refund was asked for of a payment whose state or remaining amount does not allow it.",
        "The hold had expired or was captured already, or more was asked back than was left.",
        "Open the payment that it acts on and compare its history with what the client believes.",
    ),
    "asset_mismatch": Words(
        "Different assets",
        "Sender and receiver hold different assets, so no amount means the same to both.",
        "The client names the wrong wallet.",
        "Tell the client which wallets it named; a customer may have several, one for each asset.",
    ),
    "balance_overflow": Words(
        "Balance too large",
        "The receiver's balance would become larger than the platform can keep.",
        "An amount far out of proportion, or an asset with more decimals than it needs.",
        "Look at the amount first. If it is right, tell the platform's engineers.",
    ),
    "quote_expired": Words(
        "Quote expired",
        "The rate that the payment was to use was held for a stated time, and that was over.",
        "The customer took too long to confirm, or the client reuses old quotes.",
        "Ask the client to get a new quote for each confirmation.",
    ),
    "quote_mismatch": Words(
        "Quote for something else",
        "The payment names a quote made for other assets or another amount.",
        "The client mixes up quotes.",
        "Tell the client which quote and which payment do not fit.",
    ),
}


def words(code: str) -> Words:
    """Return a code's words; of a code that is not known, its name and where to ask."""
    return WORDS.get(code) or Words(
        code.replace("_", " ").capitalize() or "Unknown",
        "This code has no description here.",
        "Not known.",
        "Look at examples, and tell the platform's engineers that the code has no words.",
    )


def category_title(category: str) -> str:
    return CATEGORIES.get(category, category.capitalize())
