-- What was told stays on record, and so does what telling it cost.

CREATE TRIGGER ai_summaries_kept BEFORE DELETE OR TRUNCATE ON ai_summaries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ai_calls_kept BEFORE DELETE OR TRUNCATE ON ai_calls
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- A summary keeps what it was asked for, and once it is done it never changes.
CREATE FUNCTION ai_summaries_check_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'WAITING' THEN
            RAISE EXCEPTION 'summary % begins WAITING, not %', NEW.id, NEW.state
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state <> 'WAITING'
       OR (NEW.id, NEW.kind, NEW.slot, NEW.begins_at, NEW.ends_at, NEW.code, NEW.requested_by, NEW.requested_name,
           NEW.created_at)
          IS DISTINCT FROM
          (OLD.id, OLD.kind, OLD.slot, OLD.begins_at, OLD.ends_at, OLD.code, OLD.requested_by, OLD.requested_name,
           OLD.created_at)
    THEN
        RAISE EXCEPTION 'summary % is %: what it says never changes', OLD.id, OLD.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER ai_summaries_final BEFORE INSERT OR UPDATE ON ai_summaries
    FOR EACH ROW EXECUTE FUNCTION ai_summaries_check_final();

-- A call keeps what was reserved for it, costs no more than that, and is finished once.
CREATE FUNCTION ai_calls_check_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.finished_at IS NOT NULL OR NEW.cost > OLD.reserved
       OR (NEW.summary_id, NEW.number, NEW.model, NEW.reserved, NEW.started_at) IS DISTINCT FROM
          (OLD.summary_id, OLD.number, OLD.model, OLD.reserved, OLD.started_at)
    THEN
        RAISE EXCEPTION 'call % of summary % is on record', OLD.number, OLD.summary_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER ai_calls_final BEFORE UPDATE ON ai_calls
    FOR EACH ROW EXECUTE FUNCTION ai_calls_check_final();

DO $$
DECLARE
    routine regproc;
BEGIN
    FOREACH routine IN ARRAY ARRAY['ai_summaries_check_final', 'ai_calls_check_final']::regproc[]
    LOOP
        EXECUTE format('ALTER FUNCTION %s() SET search_path = %I, pg_temp', routine, current_schema());
    END LOOP;
END;
$$;
