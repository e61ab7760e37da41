-- A large ledger in a throw-away database, set-wise and with triggers off: the shape of one, not a sound one.
-- {rows} payments over 60 days; a tenth of them from one wallet; 5 % failed; some kinds and states only long ago.
SET session_replication_role = replica;

CREATE FUNCTION id_at(ms bigint, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(ms), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid
$$;

CREATE TEMP TABLE span AS
    SELECT (extract(epoch FROM now()) * 1000)::bigint - 60::bigint * 86400000 AS first,
           60::bigint * 86400000 / {rows} AS step, greatest({rows} / 100, 10) AS wallets,
           (SELECT id FROM accounts WHERE asset = 'EUR' AND kind = 'treasury') AS treasury,
           (SELECT id FROM identity_clients WHERE name = 'large') AS client;

INSERT INTO accounts (id, asset, kind, balance, held, min_available, seq, open, booked_at, created_at)
    SELECT id_at(first - 86400000, n), 'EUR', 'wallet', 0, 0, 0, 0, true, NULL, now() - interval '61 days'
      FROM span, generate_series(0::bigint, wallets - 1) AS n;
INSERT INTO wallets (id, user_id, asset, label, metadata, status, version, created_at, updated_at)
    SELECT id_at(first - 86400000, n), id_at(first - 86400000, n + 1000000000), 'EUR', '', '{{}}',
           CASE WHEN n = 1 THEN 'SUSPENDED' ELSE 'ACTIVE' END, 1, now() - interval '61 days', now() - interval '61 days'
      FROM span, generate_series(0::bigint, wallets - 1) AS n;

-- All of them with limits: their pages tell what is left of the day.
INSERT INTO wallet_limits (wallet_id, per_payment, per_day, counted_from, updated_at)
    SELECT id, 10000, 50000, current_date, now() FROM wallets;
INSERT INTO wallet_spending (wallet_id, day, spent) SELECT id, current_date, 100 FROM wallets;

CREATE TEMP TABLE story AS
    SELECT n, id_at(first + n * step, n) AS id, to_timestamp((first + n * step) / 1000.0) AS at,
           CASE WHEN n < {rows} / 50 AND n % 50 = 7 OR n % 500 = 250 AND n > {rows} * 0.9 THEN 'authorization'
                WHEN n % 17 = 3 THEN 'topup' ELSE 'transfer' END AS kind,
           CASE WHEN n < {rows} / 50 AND n % 50 = 7 THEN 'VOIDED'
                WHEN n % 500 = 250 AND n > {rows} * 0.9 THEN 'AUTHORIZED'
                WHEN n % 20 = 0 THEN 'FAILED' ELSE 'SETTLED' END AS status,
           CASE WHEN n % 17 = 3 THEN treasury
                WHEN n % 10 = 1 THEN id_at(first - 86400000, 0)
                ELSE id_at(first - 86400000, 1 + (n * 7919) % (wallets - 1)) END AS sender_id,
           id_at(first - 86400000, 1 + (n * 104729) % (wallets - 1)) AS receiver_id
      FROM span, generate_series(0::bigint, {rows} - 1) AS n;

INSERT INTO payments (id, kind, status, asset, amount, sender_id, receiver_id, parent_id, principal_id, idempotency_key,
                      request_id, description, metadata, created_at, effective_at, authorized_amount, captured_amount,
                      refunded_amount, expires_at)
    SELECT id, kind, status, 'EUR', 100 + n % 9000, sender_id, receiver_id, NULL, client, 'large-' || n, 'request-' || n,
           '', '{{}}', at, at, CASE WHEN kind = 'authorization' AND status <> 'FAILED' THEN 100 + n % 9000 END, 0, 0,
           CASE WHEN kind = 'authorization' AND status <> 'FAILED' THEN at + interval '7 days' END
      FROM story, span ORDER BY n;
INSERT INTO transaction_failures (payment_id, code, category, detail, created_at)
    SELECT id, CASE WHEN n % 1000 = 0 THEN 'payment_denied' ELSE 'insufficient_funds' END, 'customer', 'Too little.', at
      FROM story WHERE status = 'FAILED' ORDER BY n;
INSERT INTO transactions (id, kind, entry_count, booked_at, effective_at)
    SELECT id, kind, 2, at, at FROM story WHERE status = 'SETTLED' ORDER BY n;
INSERT INTO ledger_entries (id, transaction_id, entry_count, leg, account_id, direction, amount, seq, balance_after)
    SELECT id_at((extract(epoch FROM at) * 1000)::bigint, n * 2 + leg), id, 2, leg, account_id,
           CASE leg WHEN 1 THEN 'DEBIT' ELSE 'CREDIT' END, 100 + n % 9000,
           row_number() OVER (PARTITION BY account_id ORDER BY n, leg),
           row_number() OVER (PARTITION BY account_id ORDER BY n, leg) * 1000
      FROM (SELECT n, id, at, 1 AS leg, sender_id AS account_id FROM story WHERE status = 'SETTLED'
            UNION ALL SELECT n, id, at, 2, receiver_id FROM story WHERE status = 'SETTLED') AS legs ORDER BY n, leg;
UPDATE accounts a SET seq = l.seq, balance = l.seq * 1000
  FROM (SELECT account_id, max(seq) AS seq FROM ledger_entries GROUP BY account_id) AS l WHERE l.account_id = a.id;

INSERT INTO idempotency_keys (key, principal_id, fingerprint, status, body, resource_id, created_at)
    SELECT 'large-' || n, client, '\x00', 201, '\x7b7d', id, at FROM story, span ORDER BY n;
INSERT INTO events (position, outbox_id, event_id, type, subject, time, correlation_id, traceparent, data, asset,
                    wallet_ids, sequenced_at)
    SELECT n + 1, n + 1, id_at((extract(epoch FROM at) * 1000)::bigint, n + 500000000000), 'payment.' || lower(status), id,
           at, 'request-' || n, '', '{{}}', 'EUR', ARRAY[receiver_id], at
      FROM story ORDER BY n;
INSERT INTO open_holds (payment_id, asset, sender_wallet_id, held, created_at, expires_at)
    SELECT id, 'EUR', sender_id, 100 + n % 9000, at, at + interval '7 days' FROM story WHERE status = 'AUTHORIZED';
INSERT INTO audit_entries (at, actor_kind, actor_id, actor_name, action, object_type, object_id, reason, request_id, address)
    SELECT at, 'client', client, 'large', CASE WHEN n % 5000 = 0 THEN 'wallet.suspend' ELSE 'wallet.create' END, 'wallet',
           receiver_id::text, '', 'request-' || n, ''
      FROM story, span WHERE n % 10 = 0 ORDER BY n;
INSERT INTO payment_figures (span, begins_at, kind, asset, outcome, code, payments, amount)
    SELECT unit, date_trunc(unit, at, 'UTC'), kind, 'EUR', lower(status),
           CASE WHEN status = 'FAILED' THEN 'insufficient_funds' ELSE '' END, count(*), sum(100 + n % 9000)
      FROM story, unnest(ARRAY['minute', 'hour', 'day']) AS unit GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO failure_payments (payment_id, failed_at, kind, asset, code, category, client_id, wallet_id, amount)
    SELECT id, at, kind, 'EUR', CASE WHEN n % 1000 = 0 THEN 'payment_denied' ELSE 'insufficient_funds' END, 'customer',
           client, CASE WHEN kind = 'topup' THEN receiver_id ELSE sender_id END, 100 + n % 9000
      FROM story, span WHERE status = 'FAILED' ORDER BY n;
INSERT INTO failure_clients (span, begins_at, client_id, asset, outcome, payments, amount)
    SELECT unit, date_trunc(unit, at, 'UTC'), client, 'EUR', lower(status), count(*), sum(100 + n % 9000)
      FROM story, span, unnest(ARRAY['hour', 'day']) AS unit WHERE status IN ('SETTLED', 'FAILED') GROUP BY 1, 2, 3, 4, 5;
INSERT INTO latest_payments (sender_wallet_id, receiver_wallet_id, kind, amount, payment_id, at)
    SELECT DISTINCT ON (1, 2, 3, 4) sender_id, receiver_id, kind, 100 + n % 9000, id, at
      FROM story WHERE status = 'SETTLED' ORDER BY 1, 2, 3, 4, n DESC;
INSERT INTO repeated_payments (payment_id, earlier_id, asset, at)
    SELECT id, id, 'EUR', at FROM story WHERE status = 'SETTLED' AND n % 1000 = 1;
DROP FUNCTION id_at(bigint, bigint);
