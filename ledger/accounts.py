"""Lock accounts and read where they stand: the first half of everything that moves money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

# System accounts are found through a wallet's asset.
_READ = """
    WITH named AS (
        SELECT unnest(%s::uuid[]) AS id
        UNION
        SELECT system.id
          FROM unnest(%s::uuid[], %s::text[]) AS wanted (wallet_id, kind)
          JOIN accounts AS wallet ON wallet.id = wanted.wallet_id
          JOIN accounts AS system
            ON system.asset = wallet.asset AND system.kind = wanted.kind AND system.kind <> 'wallet'
        {also}
    )
    SELECT a.id, a.asset, s.scale, a.kind, a.balance, a.held, a.min_available, a.seq, a.open, a.booked_at
      FROM accounts AS a JOIN assets AS s ON s.code = a.asset
     WHERE a.id IN (SELECT id FROM named)
     ORDER BY a.id
"""
# Always in the order of ids, so that no two batches wait for each other in a ring. NO KEY, because
# entries only need their account to keep existing.
_LOCK = f"""{_READ}
       FOR NO KEY UPDATE OF a
"""


def lock_accounts(*, also: str = "") -> str:
    """
    Return the statement that locks accounts and reads them: by ids, and by (wallet of the asset, kind).

    ``also`` is a query for further ids, with the placeholders that follow.
    """
    return _LOCK.format(also=also and f"UNION {also}")


def read_accounts(*, also: str = "") -> str:
    """Return the statement that reads the same, and locks nothing."""
    return _READ.format(also=also and f"UNION {also}")


UPDATE_ACCOUNTS = """
    UPDATE accounts AS a
       SET balance = n.balance, held = n.held, seq = n.seq, booked_at = n.booked_at
      FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
           AS n (id, balance, held, seq, booked_at)
     WHERE a.id = n.id
"""


@dataclass(slots=True)
class AccountState:
    """An account as it stands under the lock, and as the batch goes on to leave it."""

    id: UUID
    asset: str
    scale: int
    kind: str
    balance: int
    held: int
    min_available: int | None
    seq: int
    open: bool
    booked_at: datetime | None

    @property
    def available(self) -> int:
        return self.balance - self.held

    def covers(self, amount: int) -> bool:
        """Whether ``amount`` can leave without breaking ``balance - held >= min_available``."""
        return self.min_available is None or self.available - amount >= self.min_available

    def can_hold(self, amount: int) -> bool:
        """Whether ``amount`` can be held: of what is there only, an overdraft is nothing to hold."""
        return self.min_available is None or self.available >= amount
