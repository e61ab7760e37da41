-- One payment in one call, decided in PL/pgSQL on the same tables under the same rules: the limit that
-- the HTTP API is measured against. Kept with the benchmark; the platform never uses it.
CREATE OR REPLACE FUNCTION bench_pay(sender uuid, receiver uuid, amount bigint) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    now timestamptz;
    payment uuid := gen_random_uuid();
    idempotency text := payment::text;
    client constant uuid := '00000000-0000-7000-8000-000000000001';
    s accounts;
    r accounts;
    body text;
BEGIN
    PERFORM FROM accounts WHERE id IN (sender, receiver) ORDER BY id FOR NO KEY UPDATE;
    PERFORM FROM idempotency_keys WHERE key = idempotency AND principal_id = client;
    IF FOUND THEN RETURN NULL; END IF;
    SELECT * INTO s FROM accounts WHERE id = sender;
    SELECT * INTO r FROM accounts WHERE id = receiver;
    now := greatest(ledger_now(), s.booked_at, r.booked_at);
    IF NOT (s.open AND r.open AND s.asset = r.asset AND s.balance - s.held - amount >= s.min_available) THEN
        RAISE EXCEPTION 'declined';
    END IF;
    body := format('{"id":"%s","kind":"transfer","status":"SETTLED","asset":"%s","amount":"%s",'
        '"sender_wallet_id":"%s","receiver_wallet_id":"%s","description":"","metadata":{},'
        '"transaction_id":"%s","parent_id":null,"authorized_amount":null,"captured_amount":"%s",'
        '"refunded_amount":"0.00","expires_at":null,"failure":null,"request_id":"%s","created_at":"%s","effective_at":"%s"}',
        payment, s.asset, amount, sender, receiver, payment, amount, payment, now, now);
    INSERT INTO idempotency_keys (principal_id, key, fingerprint, status, body, resource_id, created_at)
        VALUES (client, idempotency, sha256(idempotency::bytea), 201, body::bytea, payment, now);
    INSERT INTO payments (id, kind, status, asset, amount, sender_id, receiver_id, principal_id,
                          idempotency_key, request_id, description, metadata, created_at, effective_at)
        VALUES (payment, 'transfer', 'SETTLED', s.asset, amount, sender, receiver, client, idempotency,
                idempotency, '', '{}', now, now);
    INSERT INTO transactions VALUES (payment, 'transfer', 2, now, now);
    UPDATE accounts a SET balance = balance + CASE a.id WHEN sender THEN -amount ELSE amount END,
                          seq = seq + 1, booked_at = now
     WHERE a.id IN (sender, receiver);
    INSERT INTO ledger_entries
           (id, transaction_id, entry_count, leg, account_id, direction, amount, seq, balance_after)
    VALUES (gen_random_uuid(), payment, 2, 1, sender, 'DEBIT', amount, s.seq + 1, s.balance - amount),
           (gen_random_uuid(), payment, 2, 2, receiver, 'CREDIT', amount, r.seq + 1, r.balance + amount);
    INSERT INTO outbox_events (event_id, type, subject, time, correlation_id, traceparent, data)
        VALUES (gen_random_uuid(), 'payment.settled', payment, now, idempotency, '', body);
    RETURN payment;
END;
$$;
