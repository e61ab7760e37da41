-- The ledger's rules, kept by the database itself: whoever writes, and whatever the code believes.

-- The platform's clock. Only the owner can shift it.
INSERT INTO ledger_clock (id, shift) VALUES (1, '0');

CREATE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp() + shift FROM ledger_clock
$$;

-- The money path updates account rows over and over: leave room for the new version on the same page.
ALTER TABLE accounts SET (fillfactor = 50);

-- Overdrafts are not offered, and a system account never closes.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE accounts ADD CONSTRAINT accounts_offered
    CHECK (CASE WHEN kind = 'wallet' THEN min_available = 0 ELSE open END);

-- Legs are numbered up to entry_count and unique, so nothing can join a transaction that is complete.
-- The tables are new and empty.
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ALTER TABLE ledger_entries ADD CONSTRAINT ledger_entries_transaction_fk
    FOREIGN KEY (transaction_id, entry_count) REFERENCES transactions (id, entry_count);


-- History is corrected by new transactions, never rewritten. For owners too, while triggers are on.
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END;
$$;

CREATE TRIGGER transactions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER accounts_no_delete BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER idempotency_keys_kept BEFORE DELETE OR TRUNCATE
    OR UPDATE OF key, principal_id, fingerprint, status, resource_id, created_at ON idempotency_keys
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER assets_fixed BEFORE UPDATE OF code, scale OR DELETE OR TRUNCATE ON assets
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();


-- A transaction has exactly entry_count entries, and they balance in every asset. Deferred: it is
-- inserted before its entries, and the sum means something at COMMIT only.
CREATE FUNCTION transactions_check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    legs bigint;
    unbalanced text;
BEGIN
    -- The asset by a subquery: a join would be planned as a scan of all accounts on a young database.
    SELECT coalesce(sum(n), 0), min(asset) FILTER (WHERE net <> 0) INTO legs, unbalanced
      FROM (SELECT asset, count(*) AS n, sum(change) AS net
              FROM (SELECT (SELECT a.asset FROM accounts a WHERE a.id = e.account_id) AS asset,
                           CASE e.direction WHEN 'CREDIT' THEN e.amount ELSE -e.amount END AS change
                      FROM ledger_entries e WHERE e.transaction_id = NEW.id) AS leg
             GROUP BY asset) AS by_asset;
    IF legs <> NEW.entry_count OR unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'transaction % has % of % entries; unbalanced asset: %',
            NEW.id, legs, NEW.entry_count, coalesce(unbalanced, 'none')
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER transactions_balanced AFTER INSERT ON transactions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION transactions_check_balanced();


-- New entries continue their account's chain (seq without a gap, balance_after from the one before),
-- end where the account stands, and touch open accounts only. So the account is updated first.
CREATE FUNCTION ledger_entries_check_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken record;
BEGIN
    SELECT n.account_id, n.seq, a.open INTO broken
      FROM (SELECT e.account_id, e.seq, e.balance_after,
                   CASE e.direction WHEN 'CREDIT' THEN e.amount ELSE -e.amount END AS change,
                   lag(e.seq) OVER chain AS before_seq,
                   lag(e.balance_after) OVER chain AS before_balance,
                   lag(t.booked_at) OVER chain AS before_booked, t.booked_at,
                   lead(e.seq) OVER chain IS NULL AS is_last
              FROM added e JOIN transactions t ON t.id = e.transaction_id
            WINDOW chain AS (PARTITION BY e.account_id ORDER BY e.seq)) AS n
      JOIN accounts a ON a.id = n.account_id
      LEFT JOIN ledger_entries p
             ON n.before_seq IS NULL AND p.account_id = n.account_id AND p.seq = n.seq - 1
     WHERE NOT a.open
        OR n.seq <> coalesce(n.before_seq, p.seq, 0) + 1
        OR n.balance_after <> coalesce(n.before_balance, p.balance_after, 0)::numeric + n.change
        OR (n.is_last AND (a.seq, a.balance) IS DISTINCT FROM (n.seq, n.balance_after))
        OR n.booked_at < coalesce(n.before_booked, n.booked_at)
        OR (n.is_last AND a.booked_at IS DISTINCT FROM n.booked_at)
        OR (p.id IS NOT NULL AND n.booked_at <
                                 (SELECT t.booked_at FROM transactions t WHERE t.id = p.transaction_id))
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % of account % does not continue it (account open: %)',
            broken.seq, broken.account_id, broken.open
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER ledger_entries_chain AFTER INSERT ON ledger_entries
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_check_chain();


-- An account keeps its identity, and its entries never count backwards.
CREATE FUNCTION accounts_check_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.asset, NEW.kind, NEW.created_at) IS DISTINCT FROM
       (OLD.id, OLD.asset, OLD.kind, OLD.created_at)
       OR NEW.seq < OLD.seq OR NEW.booked_at IS NULL AND OLD.booked_at IS NOT NULL
       OR NEW.booked_at < OLD.booked_at THEN
        RAISE EXCEPTION 'account % keeps its identity and never goes back', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER accounts_fixed BEFORE UPDATE ON accounts
    FOR EACH ROW EXECUTE FUNCTION accounts_check_fixed();


-- At COMMIT an account stands where its last entry left it: no balance changes without an entry.
CREATE FUNCTION accounts_check_derived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq = 0 AND NEW.balance = 0 AND NEW.booked_at IS NULL OR EXISTS (
        SELECT FROM ledger_entries e JOIN transactions t ON t.id = e.transaction_id
         WHERE e.account_id = NEW.id AND e.seq = NEW.seq AND e.balance_after = NEW.balance
           AND t.booked_at = NEW.booked_at)
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'account % says balance % at seq %, its entries do not', NEW.id, NEW.balance, NEW.seq
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END;
$$;

CREATE CONSTRAINT TRIGGER accounts_opened_empty AFTER INSERT ON accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION accounts_check_derived();
CREATE CONSTRAINT TRIGGER accounts_derived AFTER UPDATE ON accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.balance IS DISTINCT FROM NEW.balance OR OLD.seq IS DISTINCT FROM NEW.seq
          OR OLD.booked_at IS DISTINCT FROM NEW.booked_at)
    EXECUTE FUNCTION accounts_check_derived();


-- The last seq of an account at a moment. Its booked_at rises with seq, so halving finds it in about
-- twenty look-ups among a million entries, and no index on time has to be kept up.
CREATE FUNCTION ledger_seq_at(account uuid, moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint := 0;
    high bigint := (SELECT a.seq FROM accounts a WHERE a.id = account);
    middle bigint;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT t.booked_at FROM ledger_entries e JOIN transactions t ON t.id = e.transaction_id
             WHERE e.account_id = account AND e.seq = middle) <= moment THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END;
$$;


-- A trigger sees the tables of this schema and no temporary table that shadows one.
DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_proc p JOIN pg_trigger t ON t.tgfoid = p.oid
         WHERE p.pronamespace = current_schema()::regnamespace AND NOT t.tgisinternal
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', routine, current_schema());
    END LOOP;
END;
$$;
