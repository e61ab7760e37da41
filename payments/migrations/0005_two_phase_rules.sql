-- The life of a hold, kept by the database itself.

-- Replaces the function of 0002: what was asked for stays, counters only grow, and only an AUTHORIZED
-- payment is captured, raised, lowered or extended.
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
           (OLD.authorized_amount, OLD.captured_amount, OLD.expires_at) THEN
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

-- At COMMIT a payment's counters are what its children have moved, and no capture came after its end.
CREATE FUNCTION payments_check_children() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    parent payments;
    captured numeric;
    given_back numeric;
    late uuid;
BEGIN
    SELECT * INTO parent FROM payments p WHERE p.id = coalesce(NEW.parent_id, NEW.id);
    SELECT coalesce(sum(c.amount) FILTER (WHERE c.kind = 'capture'), 0),
           coalesce(sum(c.amount) FILTER (WHERE c.kind IN ('refund', 'reversal')), 0),
           min(c.id::text) FILTER (WHERE c.kind = 'capture' AND c.created_at >= parent.expires_at)
      INTO captured, given_back, late
      FROM payments c WHERE c.parent_id = parent.id AND c.status = 'SETTLED';
    IF parent.captured_amount <> captured OR parent.refunded_amount <> given_back OR late IS NOT NULL THEN
        RAISE EXCEPTION 'payment % says % captured and % given back; its children % and %; late: %', parent.id,
            parent.captured_amount, parent.refunded_amount, captured, given_back, coalesce(late::text, 'none')
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER payments_child_counted AFTER INSERT ON payments
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status = 'SETTLED' AND NEW.kind IN ('capture', 'refund', 'reversal'))
    EXECUTE FUNCTION payments_check_children();
CREATE CONSTRAINT TRIGGER payments_counted AFTER UPDATE ON payments
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.captured_amount <> NEW.captured_amount OR OLD.refunded_amount <> NEW.refunded_amount)
    EXECUTE FUNCTION payments_check_children();

-- What an account holds is what its open authorizations have left: looked up whenever either changes, for
-- up to 1,000 of them. (Beyond that the look-up would slow the account down; verify_ledger knows no bound.)
CREATE FUNCTION payments_held_is_right(account uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT count(*) > 1000 OR coalesce(sum(rest), 0) = (SELECT a.held FROM accounts a WHERE a.id = account)
      FROM (SELECT p.authorized_amount - p.captured_amount AS rest FROM payments p
             WHERE p.sender_id = account AND p.kind = 'authorization' AND p.status = 'AUTHORIZED' LIMIT 1001) AS open
$$;

CREATE FUNCTION accounts_check_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT payments_held_is_right(NEW.id) THEN
        RAISE EXCEPTION 'account % does not hold what its authorizations say', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER accounts_held_derived AFTER UPDATE ON accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.held <> NEW.held) EXECUTE FUNCTION accounts_check_held();
CREATE CONSTRAINT TRIGGER accounts_opened_free AFTER INSERT ON accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.held <> 0) EXECUTE FUNCTION accounts_check_held();

-- Once a statement and account. So the account is updated first, or by the same statement.
CREATE FUNCTION payments_check_held() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong uuid;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT sender_id INTO wrong
          FROM (SELECT DISTINCT sender_id FROM added WHERE status = 'AUTHORIZED') AS holding
         WHERE NOT payments_held_is_right(sender_id) LIMIT 1;
    ELSE
        SELECT sender_id INTO wrong
          FROM (SELECT DISTINCT o.sender_id FROM before o WHERE o.status = 'AUTHORIZED') AS holding
         WHERE NOT payments_held_is_right(sender_id) LIMIT 1;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'account % does not hold what its authorizations say', wrong
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER payments_held_added AFTER INSERT ON payments
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION payments_check_held();
CREATE TRIGGER payments_held_changed AFTER UPDATE ON payments
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION payments_check_held();

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION payments_check_move() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION payments_check_children() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION payments_held_is_right(uuid) SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION accounts_check_held() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION payments_check_held() SET search_path = %I, pg_temp', current_schema());
END;
$$;
