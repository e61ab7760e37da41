-- Overdrafts: a wallet's floor may lie below 0. It changes only as two people have approved, and history keeps it.

-- Replaced in the same transaction.
-- squawk-ignore ban-drop-constraint
ALTER TABLE accounts DROP CONSTRAINT accounts_offered;
ALTER TABLE accounts ADD CONSTRAINT accounts_offered
    CHECK (CASE WHEN kind = 'wallet' THEN min_available <= 0 ELSE open END) NOT VALID;

-- Who approves is no matter of the ledger's: what stands above it replaces this. Left alone, nobody does.
CREATE FUNCTION ledger_floor_approved(account uuid, floor bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT false
$$;

-- As the owner, so that who serves changes a floor and never what is remembered of it.
CREATE FUNCTION accounts_check_floor() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.kind <> 'wallet' OR NOT ledger_floor_approved(NEW.id, NEW.min_available) THEN
        RAISE EXCEPTION 'nobody has approved the floor % of account %', NEW.min_available, NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    INSERT INTO account_floors (account_id, since_seq, min_available, created_at)
    VALUES (NEW.id, OLD.seq, NEW.min_available, ledger_now());
    RETURN NULL;
END;
$$;

CREATE TRIGGER accounts_floor_at_first AFTER INSERT ON accounts
    FOR EACH ROW WHEN (NEW.kind = 'wallet' AND NEW.min_available <> 0) EXECUTE FUNCTION accounts_check_floor();
CREATE TRIGGER accounts_floor AFTER UPDATE OF min_available ON accounts
    FOR EACH ROW WHEN (OLD.min_available IS DISTINCT FROM NEW.min_available) EXECUTE FUNCTION accounts_check_floor();
CREATE TRIGGER account_floors_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account_floors
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION ledger_floor_approved(uuid, bigint) SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION accounts_check_floor() SET search_path = %I, pg_temp', current_schema());
END;
$$;
