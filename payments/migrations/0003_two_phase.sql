-- Two-phase payments: what a hold is for, how much of it was captured, how much was given back.

-- Each with a constant default or none: no row is rewritten.
ALTER TABLE payments
    ADD COLUMN authorized_amount bigint,
    ADD COLUMN captured_amount bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_amount bigint NOT NULL DEFAULT 0,
    ADD COLUMN expires_at timestamptz;

-- Replaced in the same transaction.
-- squawk-ignore ban-drop-constraint
ALTER TABLE payments DROP CONSTRAINT payments_kind;
ALTER TABLE payments ADD CONSTRAINT payments_kind CHECK (kind IN (
    'transfer', 'topup', 'bonus', 'spend', 'authorization', 'capture', 'refund', 'deposit', 'payout', 'fx',
    'adjustment', 'reversal', 'void', 'extension')) NOT VALID;

-- Only a hold is for an amount and ends by itself; it never gives more than it holds.
ALTER TABLE payments ADD CONSTRAINT payments_hold CHECK (
    CASE WHEN kind = 'authorization' AND parent_id IS NULL AND status <> 'FAILED'
         THEN authorized_amount > 0 AND expires_at IS NOT NULL
              AND captured_amount >= 0 AND captured_amount <= authorized_amount
              AND (status <> 'SETTLED' OR captured_amount > 0)
              AND (status NOT IN ('VOIDED', 'EXPIRED') OR captured_amount = 0)
         ELSE authorized_amount IS NULL AND expires_at IS NULL AND captured_amount = 0 END) NOT VALID;

-- No more goes back than came.
ALTER TABLE payments ADD CONSTRAINT payments_refunded CHECK (
    refunded_amount >= 0 AND refunded_amount <=
    CASE WHEN kind = 'authorization' THEN captured_amount
         WHEN kind IN ('transfer', 'topup', 'bonus', 'spend') AND status = 'SETTLED' THEN amount
         ELSE 0 END) NOT VALID;

-- What is done about a payment names it; what begins one has nothing to name.
ALTER TABLE payments ADD CONSTRAINT payments_child CHECK (
    CASE WHEN kind IN ('capture', 'refund', 'reversal', 'void', 'extension') THEN parent_id IS NOT NULL
         WHEN kind IN ('transfer', 'topup', 'bonus', 'spend') THEN parent_id IS NULL
         ELSE true END
    AND (kind NOT IN ('void', 'extension') OR status = 'FAILED')) NOT VALID;
