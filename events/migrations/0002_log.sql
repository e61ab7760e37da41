-- The log's rules, kept by the database itself.

-- The outbox is emptied as fast as it fills: what it was must not stay in its index.
ALTER TABLE outbox_events SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

CREATE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END;
$$;

CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
CREATE TRIGGER event_wallets_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event_wallets
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
CREATE TRIGGER outbox_events_fixed BEFORE UPDATE OR TRUNCATE ON outbox_events
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();


-- A fact leaves the outbox only for the log.
CREATE FUNCTION events_check_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone LEFT JOIN events e ON e.outbox_id = gone.id
                WHERE e.event_id IS DISTINCT FROM gone.event_id) THEN
        RAISE EXCEPTION 'a fact would leave the outbox without being in the log'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER outbox_events_to_the_log AFTER DELETE ON outbox_events
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION events_check_gone();


-- Positions follow each other: whoever has read up to one has missed nothing before it.
CREATE FUNCTION events_check_position() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first bigint;
    last bigint;
    added_count bigint;
BEGIN
    SELECT min(position), max(position), count(*) INTO first, last, added_count FROM added;
    IF added_count > 0 AND (last - first + 1 <> added_count
        OR first <> 1 + coalesce((SELECT max(position) FROM events WHERE position < first), 0)) THEN
        RAISE EXCEPTION 'positions % to % would leave a gap in the log', first, last
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER events_position AFTER INSERT ON events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION events_check_position();


-- A trigger sees the tables of this schema and no temporary table that shadows one.
DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN
        SELECT p.oid FROM pg_proc p
         WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'events\_%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', routine, current_schema());
    END LOOP;
END;
$$;
