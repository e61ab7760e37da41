"""The scopes that tokens carry, and who may have which."""

SCOPES = {
    "wallets:read": "see wallets, their entries, statements and balances",
    "wallets:write": "open wallets and change their status",
    "payments:read": "see payments and transactions",
    "payments:write": "make payments and spends",
    "payments:backdate": "say that a payment happened in the past",
    "treasury:write": "top up wallets and grant bonuses",
    "users:token": "issue end-user tokens",
    "events:read": "read the event log",
    "webhooks:write": "manage webhook endpoints",
    "ops:read": "read what operations see",
    "ops:write": "act as operations do",
}
READ_ONLY = frozenset(scope for scope in SCOPES if scope.endswith(":read"))
END_USER_SCOPES = frozenset({"wallets:read", "payments:read", "payments:write"})
STAFF_SCOPES = END_USER_SCOPES | {"ops:read"}
SUPERUSER_SCOPES = STAFF_SCOPES | {"ops:write"}
