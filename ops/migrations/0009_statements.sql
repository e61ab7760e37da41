-- What was said outside stays as it was said, and a match stays made.

CREATE TRIGGER statements_kept BEFORE DELETE OR TRUNCATE ON statements
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER statement_lines_kept BEFORE DELETE OR TRUNCATE ON statement_lines
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER statement_matches_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON statement_matches
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER statement_match_lines_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON statement_match_lines
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER statement_match_entries_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON statement_match_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER statement_exceptions_kept BEFORE DELETE OR TRUNCATE ON statement_exceptions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

CREATE FUNCTION statement_lines_check_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'open' <> to_jsonb(OLD) - 'open' THEN
        RAISE EXCEPTION 'statement line % keeps what was said', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER statement_lines_fixed BEFORE UPDATE ON statement_lines
    FOR EACH ROW EXECUTE FUNCTION statement_lines_check_fixed();

-- An exception keeps what it is about, and closed is the end of it.
CREATE FUNCTION statement_exceptions_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (to_jsonb(NEW) - '{state,owner,note,approval_id,closed_at}'::text[])
       <> (to_jsonb(OLD) - '{state,owner,note,approval_id,closed_at}'::text[])
       OR OLD.closed_at IS NOT NULL
       OR NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
          ('OPEN', 'MATCHED'), ('OPEN', 'EXPLAINED'), ('OPEN', 'CORRECTING'),
          ('CORRECTING', 'CORRECTED'), ('CORRECTING', 'OPEN')) THEN
        RAISE EXCEPTION 'exception % keeps what it is about, and cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER statement_exceptions_move BEFORE UPDATE ON statement_exceptions
    FOR EACH ROW EXECUTE FUNCTION statement_exceptions_check_move();

-- Findings are few: their table is locked for milliseconds.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX reconciliation_findings_by ON reconciliation_findings (state, id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX reconciliation_findings_own ON reconciliation_findings (owner, id);

DO $$
DECLARE
    routine regproc;
BEGIN
    FOREACH routine IN ARRAY ARRAY['statement_lines_check_fixed', 'statement_exceptions_check_move']::regproc[]
    LOOP
        EXECUTE format('ALTER FUNCTION %s() SET search_path = %I, pg_temp', routine, current_schema());
    END LOOP;
END;
$$;
