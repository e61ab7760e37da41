-- Two people, exactly what was proposed, one way forward: kept by the database itself.

-- The table is new and empty.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE approvals
    ADD CONSTRAINT approvals_two_people CHECK (decided_by <> maker_id),
    ADD CONSTRAINT approvals_reason CHECK (length(btrim(reason)) >= 10),
    ADD CONSTRAINT approvals_amount CHECK (amount_minor > 0),
    ADD CONSTRAINT approvals_lasts CHECK (expires_at > created_at),
    -- Who decided is known exactly where somebody has; nobody decides what is cancelled or expires.
    ADD CONSTRAINT approvals_decided CHECK (
        (decided_by IS NOT NULL) = (state IN ('APPROVED', 'REJECTED', 'EXECUTED', 'FAILED'))
        AND (decided_at IS NOT NULL) = (decided_by IS NOT NULL)),
    ADD CONSTRAINT approvals_executed CHECK (
        (executed_at IS NOT NULL) = (state IN ('EXECUTED', 'FAILED'))
        AND (result IS NOT NULL) = (executed_at IS NOT NULL));

CREATE FUNCTION approvals_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'PENDING' THEN
            RAISE EXCEPTION 'approval % begins PENDING, not %', NEW.id, NEW.state
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.action, NEW.target_type, NEW.target_id, NEW.payload, NEW.expected, NEW.amount_minor, NEW.asset,
        NEW.payload_sha256, NEW.reason, NEW.maker_id, NEW.maker_name, NEW.created_at, NEW.expires_at)
       IS DISTINCT FROM
       (OLD.id, OLD.action, OLD.target_type, OLD.target_id, OLD.payload, OLD.expected, OLD.amount_minor, OLD.asset,
        OLD.payload_sha256, OLD.reason, OLD.maker_id, OLD.maker_name, OLD.created_at, OLD.expires_at)
       OR OLD.decided_by IS NOT NULL AND
          (NEW.decided_by, NEW.decided_by_name, NEW.decided_at, NEW.note) IS DISTINCT FROM
          (OLD.decided_by, OLD.decided_by_name, OLD.decided_at, OLD.note) THEN
        RAISE EXCEPTION 'approval % keeps what was asked for and who decided', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF (OLD.state, NEW.state) NOT IN (
        ('PENDING', 'APPROVED'), ('PENDING', 'REJECTED'), ('PENDING', 'CANCELLED'), ('PENDING', 'EXPIRED'),
        ('APPROVED', 'EXECUTED'), ('APPROVED', 'FAILED')) THEN
        RAISE EXCEPTION 'approval % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.state = 'APPROVED' AND OLD.expires_at <= ledger_now()
       OR NEW.state = 'EXPIRED' AND OLD.expires_at > ledger_now() THEN
        RAISE EXCEPTION 'approval % lasts until %', OLD.id, OLD.expires_at
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER approvals_move BEFORE INSERT OR UPDATE ON approvals
    FOR EACH ROW EXECUTE FUNCTION approvals_check_move();
CREATE TRIGGER approvals_no_delete BEFORE DELETE OR TRUNCATE ON approvals
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION approvals_check_move() SET search_path = %I, pg_temp', current_schema());
END;
$$;
