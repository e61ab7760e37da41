-- What reconciliation has found stays on record.

CREATE TRIGGER reconciliation_runs_kept BEFORE DELETE OR TRUNCATE ON reconciliation_runs
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER reconciliation_findings_kept BEFORE DELETE OR TRUNCATE ON reconciliation_findings
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- A run keeps what it was asked for, and its result never changes.
CREATE FUNCTION reconciliation_runs_check_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'RUNNING'
       OR (NEW.id, NEW.kind, NEW.slot, NEW.started_at) IS DISTINCT FROM (OLD.id, OLD.kind, OLD.slot, OLD.started_at)
    THEN
        RAISE EXCEPTION 'reconciliation % is %: its result never changes', OLD.id, OLD.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER reconciliation_runs_final BEFORE UPDATE ON reconciliation_runs
    FOR EACH ROW EXECUTE FUNCTION reconciliation_runs_check_final();

-- A finding keeps what it is about and who saw it first. Resolved is the end of it: seen again, it is another.
CREATE FUNCTION reconciliation_findings_check_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'RESOLVED' OR NEW.last_seen < OLD.last_seen
       OR (NEW.id, NEW.kind, NEW.subject_type, NEW.subject_id, NEW.run_id, NEW.first_seen) IS DISTINCT FROM
          (OLD.id, OLD.kind, OLD.subject_type, OLD.subject_id, OLD.run_id, OLD.first_seen)
    THEN
        RAISE EXCEPTION 'finding % keeps what was found, and % is its state', OLD.id, OLD.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER reconciliation_findings_fixed BEFORE UPDATE ON reconciliation_findings
    FOR EACH ROW EXECUTE FUNCTION reconciliation_findings_check_kept();

DO $$
DECLARE
    routine regproc;
BEGIN
    FOREACH routine IN
        ARRAY ARRAY['reconciliation_runs_check_final', 'reconciliation_findings_check_kept']::regproc[]
    LOOP
        EXECUTE format('ALTER FUNCTION %s() SET search_path = %I, pg_temp', routine, current_schema());
    END LOOP;
END;
$$;
