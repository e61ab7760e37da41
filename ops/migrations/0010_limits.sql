-- What two people have approved and is not done yet: so much may be done, and nothing else.

-- The money tables leave these open, and refuse; here is who knows.
CREATE OR REPLACE FUNCTION ledger_floor_approved(account uuid, floor bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM approvals a
         WHERE a.action = 'wallet.overdraft' AND a.target_id = account AND a.state = 'APPROVED'
           AND -(replace(a.payload ->> 'overdraft', '.', '')::bigint) = floor)
$$;
CREATE OR REPLACE FUNCTION payments_limits_approved(wallet uuid, per_payment bigint, per_day bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM approvals a
         WHERE a.action = 'wallet.limits' AND a.target_id = wallet AND a.state = 'APPROVED'
           AND replace(a.payload ->> 'per_payment', '.', '')::bigint IS NOT DISTINCT FROM per_payment
           AND replace(a.payload ->> 'per_day', '.', '')::bigint IS NOT DISTINCT FROM per_day)
$$;
CREATE OR REPLACE FUNCTION payments_adjustment_approved(
    key text, maker uuid, asset text, amount bigint, sender uuid, receiver uuid
) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM approvals a
          JOIN accounts c ON c.asset = a.asset AND c.kind = a.payload ->> 'counter'
         WHERE a.id = CASE WHEN key ~ '^approval:[0-9a-f-]{36}$' THEN substr(key, 10)::uuid END AND a.state = 'APPROVED'
           AND a.action IN ('wallet.adjust', 'account.adjust') AND a.maker_id = maker
           AND a.asset = payments_adjustment_approved.asset AND a.amount_minor = amount
           AND CASE a.payload ->> 'direction'
               WHEN 'credit' THEN (sender, receiver) = (c.id, a.target_id)
               WHEN 'debit' THEN (sender, receiver) = (a.target_id, c.id) END)
$$;

-- Of one account several adjustments may be asked for at a time, each for a reference of its own.
-- Replaced in the same transaction; the table is small.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX approvals_one_open;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX approvals_one_open ON approvals (action, target_id, (coalesce(payload ->> 'reference', '')))
    WHERE state IN ('PENDING', 'APPROVED');

DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOREACH routine IN ARRAY ARRAY['ledger_floor_approved(uuid, bigint)',
        'payments_limits_approved(uuid, bigint, bigint)',
        'payments_adjustment_approved(text, uuid, text, bigint, uuid, uuid)']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', routine, current_schema());
    END LOOP;
END;
$$;
