-- Payments that wait for somebody's decision.

-- Replaced in the same transaction.
-- squawk-ignore ban-drop-constraint
ALTER TABLE payments DROP CONSTRAINT payments_kind, DROP CONSTRAINT payments_child;
ALTER TABLE payments ADD CONSTRAINT payments_kind CHECK (kind IN (
    'transfer', 'topup', 'bonus', 'spend', 'authorization', 'capture', 'refund', 'deposit', 'payout', 'fx',
    'adjustment', 'reversal', 'void', 'extension', 'review')) NOT VALID;
ALTER TABLE payments ADD CONSTRAINT payments_child CHECK (
    CASE WHEN kind IN ('capture', 'refund', 'reversal', 'void', 'extension', 'review') THEN parent_id IS NOT NULL
         WHEN kind IN ('transfer', 'topup', 'bonus', 'spend') THEN parent_id IS NULL
         ELSE true END
    AND (kind NOT IN ('void', 'extension', 'review') OR status = 'FAILED')) NOT VALID;

-- Replaces the function of 0005: an authorization under review knows what it would be for and how long it
-- would last. Approved, it lasts from then on; denied, it is for nothing.
CREATE OR REPLACE FUNCTION payments_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := '';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.kind, NEW.asset, NEW.amount, NEW.sender_id, NEW.receiver_id, NEW.parent_id,
            NEW.principal_id, NEW.idempotency_key, NEW.created_at, NEW.effective_at) IS DISTINCT FROM
           (OLD.id, OLD.kind, OLD.asset, OLD.amount, OLD.sender_id, OLD.receiver_id, OLD.parent_id,
            OLD.principal_id, OLD.idempotency_key, OLD.created_at, OLD.effective_at)
           OR NEW.captured_amount < OLD.captured_amount OR NEW.refunded_amount < OLD.refunded_amount
           OR NEW.expires_at < OLD.expires_at THEN
            RAISE EXCEPTION 'payment % keeps what was asked for and what was done', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
        IF OLD.status <> 'AUTHORIZED' AND
           (NEW.authorized_amount, NEW.captured_amount, NEW.expires_at) IS DISTINCT FROM
           (OLD.authorized_amount, OLD.captured_amount, OLD.expires_at) AND NOT
           (OLD.status = 'CREATED' AND NEW.captured_amount = 0 AND (NEW.status = 'FAILED'
            OR NEW.status = 'AUTHORIZED' AND NEW.authorized_amount = OLD.authorized_amount)) THEN
            RAISE EXCEPTION 'payment % is %, so nothing of it is captured or changed', OLD.id, OLD.status
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
        IF NEW.status = OLD.status THEN
            RETURN NEW;
        END IF;
        before := OLD.status;
        -- By the clock as the money path reads it: never behind what its accounts have booked.
        IF NEW.status = 'EXPIRED' AND OLD.expires_at > greatest(ledger_now(),
            (SELECT max(a.booked_at) FROM accounts a WHERE a.id IN (OLD.sender_id, OLD.receiver_id))) THEN
            RAISE EXCEPTION 'payment % lasts until %', OLD.id, OLD.expires_at
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM payment_transitions m
                    WHERE m.from_status = before AND m.to_status = NEW.status) THEN
        RAISE EXCEPTION 'payment % cannot go from % to %', NEW.id, before, NEW.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

-- Replaces the function of 0005: what was approved holds its amount from that statement on.
CREATE OR REPLACE FUNCTION payments_check_held() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong uuid;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT sender_id INTO wrong
          FROM (SELECT DISTINCT sender_id FROM added WHERE status = 'AUTHORIZED') AS holding
         WHERE NOT payments_held_is_right(sender_id) LIMIT 1;
    ELSE
        SELECT sender_id INTO wrong
          FROM (SELECT DISTINCT o.sender_id FROM before o WHERE o.status IN ('CREATED', 'AUTHORIZED')) AS holding
         WHERE NOT payments_held_is_right(sender_id) LIMIT 1;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'account % does not hold what its authorizations say', wrong
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION payments_check_move() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION payments_check_held() SET search_path = %I, pg_temp', current_schema());
END;
$$;
