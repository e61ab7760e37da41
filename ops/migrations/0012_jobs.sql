-- A job keeps what was asked and moves along its states only, whoever writes it.

CREATE FUNCTION jobs_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Dead from the start is what a broker has given up.
        IF NEW.state NOT IN ('WAITING', 'DEAD') OR NEW.tries <> 0 THEN
            RAISE EXCEPTION 'job % begins WAITING or DEAD, not %', NEW.id, NEW.state
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.state NOT IN ('DONE', 'DISCARDED') THEN
            RAISE EXCEPTION 'job % is %, and is kept', OLD.id, OLD.state
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.id, NEW.name, NEW.queue, NEW.slot, NEW.payload, NEW.created_at, NEW.request_id) IS DISTINCT FROM
       (OLD.id, OLD.name, OLD.queue, OLD.slot, OLD.payload, OLD.created_at, OLD.request_id) THEN
        RAISE EXCEPTION 'job % keeps what was asked', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    -- From WAITING to WAITING it becomes due at another time.
    IF (OLD.state, NEW.state) NOT IN (
        ('WAITING', 'WAITING'), ('WAITING', 'RUNNING'), ('WAITING', 'DISCARDED'), ('RUNNING', 'DONE'),
        ('RUNNING', 'WAITING'), ('RUNNING', 'DEAD'), ('DEAD', 'WAITING'), ('DEAD', 'DISCARDED')) THEN
        RAISE EXCEPTION 'job % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    -- A claim is a try, and only somebody who retries it sets the count back.
    IF NEW.tries <> (CASE WHEN NEW.state = 'RUNNING' THEN OLD.tries + 1
                          WHEN OLD.state = 'DEAD' AND NEW.state = 'WAITING' THEN 0
                          ELSE OLD.tries END) THEN
        RAISE EXCEPTION 'job % counts its tries', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER jobs_move BEFORE INSERT OR UPDATE OR DELETE ON jobs
    FOR EACH ROW EXECUTE FUNCTION jobs_check_move();
CREATE TRIGGER jobs_no_truncate BEFORE TRUNCATE ON jobs
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION jobs_check_move() SET search_path = %I, pg_temp', current_schema());
END;
$$;
