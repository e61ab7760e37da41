"""The wallets' promises as queries that must find nothing."""

from ledger.verification import Check

WALLET_CHECKS = [
    Check(
        "L2",
        "each wallet's account is open exactly while it is ACTIVE",
        """SELECT w.id::text, w.status || ' while its account is ' ||
                  CASE WHEN a.open THEN 'open' ELSE 'not open' END
             FROM wallets w JOIN accounts a ON a.id = w.id
            WHERE a.open <> (w.status = 'ACTIVE') OR a.kind <> 'wallet'""",
    ),
    Check(
        "L2",
        "each CLOSED wallet is empty",
        """SELECT w.id::text, 'CLOSED with balance ' || a.balance || ' and held ' || a.held
             FROM wallets w JOIN accounts a ON a.id = w.id
            WHERE w.status = 'CLOSED' AND (a.balance <> 0 OR a.held <> 0)""",
    ),
    Check(
        "L2",
        "each wallet's account has its wallet",
        """SELECT a.id::text, 'has no wallet' FROM accounts a LEFT JOIN wallets w ON w.id = a.id
            WHERE a.kind = 'wallet' AND w.id IS NULL""",
    ),
]
