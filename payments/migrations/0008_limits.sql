-- What a wallet may pay at most, and adjustments: kept by the database itself.

-- Who approves is no matter of the payments': what stands above them replaces these. Left alone, nobody does.
CREATE FUNCTION payments_limits_approved(wallet uuid, per_payment bigint, per_day bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT false
$$;
CREATE FUNCTION payments_adjustment_approved(
    key text, maker uuid, asset text, amount bigint, sender uuid, receiver uuid
) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT false
$$;

-- Setting and lowering is free. What lets more money go needs two people.
CREATE FUNCTION wallet_limits_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.wallet_id <> OLD.wallet_id OR NEW.counted_from > OLD.counted_from THEN
        RAISE EXCEPTION 'the limits of wallet % stay its own, and what is counted stays counted', OLD.wallet_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF (coalesce(NEW.per_payment > OLD.per_payment, NEW.per_payment IS NULL AND OLD.per_payment IS NOT NULL)
        OR coalesce(NEW.per_day > OLD.per_day, NEW.per_day IS NULL AND OLD.per_day IS NOT NULL))
       AND NOT payments_limits_approved(NEW.wallet_id, NEW.per_payment, NEW.per_day) THEN
        RAISE EXCEPTION 'nobody has approved these limits of wallet %', OLD.wallet_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_limits_raised BEFORE UPDATE ON wallet_limits
    FOR EACH ROW EXECUTE FUNCTION wallet_limits_check();
CREATE TRIGGER wallet_limits_no_delete BEFORE DELETE OR TRUNCATE ON wallet_limits
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- What is counted never grows beyond the limit of its wallet.
CREATE FUNCTION wallet_spending_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM wallet_limits l WHERE l.wallet_id = NEW.wallet_id AND NEW.spent > l.per_day) THEN
        RAISE EXCEPTION 'wallet % would spend % on %, which is more than it may', NEW.wallet_id, NEW.spent, NEW.day
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER wallet_spending_begun AFTER INSERT ON wallet_spending
    FOR EACH ROW EXECUTE FUNCTION wallet_spending_check();
CREATE TRIGGER wallet_spending_grown AFTER UPDATE OF spent ON wallet_spending
    FOR EACH ROW WHEN (NEW.spent > OLD.spent) EXECUTE FUNCTION wallet_spending_check();
CREATE TRIGGER wallet_spending_no_delete BEFORE DELETE OR TRUNCATE ON wallet_spending
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- An adjustment is what two people have approved, done or declined, and acts on no other payment.
CREATE FUNCTION payments_check_adjustment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.parent_id IS NOT NULL
       OR NOT payments_adjustment_approved(
           NEW.idempotency_key, NEW.principal_id, NEW.asset, NEW.amount, NEW.sender_id, NEW.receiver_id) THEN
        RAISE EXCEPTION 'nobody has approved adjustment %', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER payments_adjustment BEFORE INSERT ON payments
    FOR EACH ROW WHEN (NEW.kind = 'adjustment') EXECUTE FUNCTION payments_check_adjustment();

DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOREACH routine IN ARRAY ARRAY['payments_limits_approved(uuid, bigint, bigint)',
        'payments_adjustment_approved(text, uuid, text, bigint, uuid, uuid)', 'wallet_limits_check()', 'wallet_spending_check()',
        'payments_check_adjustment()']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', routine, current_schema());
    END LOOP;
END;
$$;
