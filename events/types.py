"""The types of events there are."""

PAYMENT_EVENTS = (
    "payment.created", "payment.authorized", "payment.captured", "payment.settled", "payment.failed",
    "payment.voided", "payment.expired", "payment.refunded",
)  # fmt: skip
WALLET_EVENTS = ("wallet.created", "wallet.activated", "wallet.suspended", "wallet.closed")
TYPES = PAYMENT_EVENTS + WALLET_EVENTS
