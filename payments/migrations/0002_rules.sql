-- A payment keeps what was asked for, and moves along its transitions.

-- Payment and sender are of one asset; the receiver's may differ (that payment then fails, or is FX).
-- The tables are new and empty.
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ALTER TABLE payments ADD CONSTRAINT payments_sender_fk
    FOREIGN KEY (sender_id, asset) REFERENCES accounts (id, asset);

INSERT INTO payment_transitions (from_status, to_status) VALUES
    ('', 'CREATED'), ('', 'AUTHORIZED'), ('', 'SETTLED'), ('', 'FAILED'),
    ('CREATED', 'AUTHORIZED'), ('CREATED', 'SETTLED'), ('CREATED', 'FAILED'), ('CREATED', 'VOIDED'),
    ('CREATED', 'EXPIRED'),
    ('AUTHORIZED', 'SETTLED'), ('AUTHORIZED', 'VOIDED'), ('AUTHORIZED', 'EXPIRED');

CREATE FUNCTION payments_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := '';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.kind, NEW.asset, NEW.amount, NEW.sender_id, NEW.receiver_id, NEW.parent_id,
            NEW.principal_id, NEW.idempotency_key, NEW.created_at, NEW.effective_at) IS DISTINCT FROM
           (OLD.id, OLD.kind, OLD.asset, OLD.amount, OLD.sender_id, OLD.receiver_id, OLD.parent_id,
            OLD.principal_id, OLD.idempotency_key, OLD.created_at, OLD.effective_at) THEN
            RAISE EXCEPTION 'payment % keeps what was asked for', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
        IF NEW.status = OLD.status THEN
            RETURN NEW;
        END IF;
        before := OLD.status;
    END IF;
    IF NOT EXISTS (SELECT FROM payment_transitions m
                    WHERE m.from_status = before AND m.to_status = NEW.status) THEN
        RAISE EXCEPTION 'payment % cannot go from % to %', NEW.id, before, NEW.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER payments_move BEFORE INSERT OR UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION payments_check_move();

CREATE TRIGGER payments_no_delete BEFORE DELETE OR TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER transaction_failures_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON transaction_failures FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION payments_check_move() SET search_path = %I, pg_temp', current_schema());
END;
$$;
