-- A wallet is its account, of the same asset; it moves along its transitions; its account is open
-- exactly while it is ACTIVE.

-- The tables are new and empty.
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ALTER TABLE wallets ADD CONSTRAINT wallets_account_fk
    FOREIGN KEY (id, asset) REFERENCES accounts (id, asset);

INSERT INTO wallet_transitions (from_status, to_status) VALUES
    ('', 'CREATED'), ('', 'ACTIVE'),
    ('CREATED', 'ACTIVE'),
    ('ACTIVE', 'SUSPENDED'),
    ('SUSPENDED', 'ACTIVE'), ('SUSPENDED', 'CLOSED');

CREATE FUNCTION wallets_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := '';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.asset, NEW.user_id, NEW.created_at) IS DISTINCT FROM
           (OLD.id, OLD.asset, OLD.user_id, OLD.created_at) OR NEW.version <= OLD.version THEN
            RAISE EXCEPTION 'wallet % keeps its identity, and each change its own version', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
        IF NEW.status = OLD.status THEN
            RETURN NEW;
        END IF;
        before := OLD.status;
    END IF;
    IF NOT EXISTS (SELECT FROM wallet_transitions m
                    WHERE m.from_status = before AND m.to_status = NEW.status) THEN
        RAISE EXCEPTION 'wallet % cannot go from % to %', NEW.id, before, NEW.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallets_move BEFORE INSERT OR UPDATE ON wallets
    FOR EACH ROW EXECUTE FUNCTION wallets_check_move();

-- Deferred, because wallet and account change one after the other.
CREATE FUNCTION wallets_check_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM accounts a JOIN wallets w ON w.id = a.id
         WHERE a.id = NEW.id AND a.kind = 'wallet' AND a.open = (w.status = 'ACTIVE')
           AND (w.status <> 'CLOSED' OR a.balance = 0 AND a.held = 0))
    THEN
        RAISE EXCEPTION 'wallet % and its account disagree', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER wallets_open AFTER INSERT OR UPDATE ON wallets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wallets_check_open();
CREATE CONSTRAINT TRIGGER accounts_wallet_inserted AFTER INSERT ON accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'wallet')
    EXECUTE FUNCTION wallets_check_open();
CREATE CONSTRAINT TRIGGER accounts_wallet_open AFTER UPDATE OF open ON accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'wallet')
    EXECUTE FUNCTION wallets_check_open();

CREATE TRIGGER wallets_no_delete BEFORE DELETE OR TRUNCATE ON wallets
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

DO $$
DECLARE
    routine regproc;
BEGIN
    FOREACH routine IN ARRAY ARRAY['wallets_check_move', 'wallets_check_open']::regproc[] LOOP
        EXECUTE format('ALTER FUNCTION %s() SET search_path = %I, pg_temp', routine, current_schema());
    END LOOP;
END;
$$;
