-- Alerts and who was told of them stay on record, and move one way.

-- The tables are new and empty.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE alert_configurations
    ADD CONSTRAINT alert_configurations_window CHECK (window_minutes BETWEEN 1 AND 10080),
    ADD CONSTRAINT alert_configurations_counts CHECK (
        minimum_volume >= 0 AND cooldown_minutes BETWEEN 0 AND 10080 AND resolve_after BETWEEN 1 AND 100),
    ADD CONSTRAINT alert_configurations_escalation CHECK (escalate_after_minutes BETWEEN 5 AND 10080),
    ADD CONSTRAINT alert_configurations_severity CHECK (severity IN ('critical', 'warning', 'info')),
    ADD CONSTRAINT alert_configurations_weekdays CHECK (weekdays <@ ARRAY[1, 2, 3, 4, 5, 6, 7]::smallint[]),
    ADD CONSTRAINT alert_configurations_hours CHECK (from_hour BETWEEN 0 AND 23 AND to_hour BETWEEN 1 AND 24),
    ADD CONSTRAINT alert_configurations_addresses CHECK (
        cardinality(recipients) <= 20 AND cardinality(escalation_recipients) <= 20);

-- squawk-ignore constraint-missing-not-valid
ALTER TABLE alerts
    ADD CONSTRAINT alerts_severity CHECK (severity IN ('critical', 'warning', 'info')),
    ADD CONSTRAINT alerts_seen CHECK (occurrences >= 1 AND quiet >= 0 AND last_seen >= first_seen),
    ADD CONSTRAINT alerts_sent CHECK (state <> 'SENT' OR told_at IS NOT NULL),
    ADD CONSTRAINT alerts_acknowledged CHECK (
        (acknowledged_at IS NULL) = (acknowledged_by = '') AND (state <> 'ACKNOWLEDGED' OR acknowledged_at IS NOT NULL)),
    ADD CONSTRAINT alerts_resolved CHECK (
        (resolved_at IS NOT NULL) = (state = 'RESOLVED') AND (resolved_by = '' OR state = 'RESOLVED')
        -- Who resolves it says what it was; what ends by itself was nothing that anybody has looked into.
        AND (classification <> '') = (resolved_by <> '')),
    ADD CONSTRAINT alerts_ended CHECK (end_told_at IS NULL OR (state = 'RESOLVED' AND told_at IS NOT NULL));

-- squawk-ignore constraint-missing-not-valid
ALTER TABLE alert_notifications
    ADD CONSTRAINT alert_notifications_channel CHECK (channel IN ('email', 'slack')),
    ADD CONSTRAINT alert_notifications_state CHECK (state IN ('WAITING', 'SENT', 'DEAD')),
    ADD CONSTRAINT alert_notifications_sent CHECK ((sent_at IS NOT NULL) = (state = 'SENT'));

CREATE FUNCTION alerts_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.urgency := CASE WHEN NEW.state = 'RESOLVED' THEN 0
                        ELSE CASE NEW.severity WHEN 'critical' THEN 3 WHEN 'warning' THEN 2 ELSE 1 END END;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'PENDING' THEN
            RAISE EXCEPTION 'alert % begins PENDING, not %', NEW.id, NEW.state
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.configuration_id, NEW.type, NEW.fingerprint, NEW.severity, NEW.title, NEW.subject,
        NEW.subject_type, NEW.subject_id, NEW.asset, NEW.first_seen)
       IS DISTINCT FROM
       (OLD.id, OLD.configuration_id, OLD.type, OLD.fingerprint, OLD.severity, OLD.title, OLD.subject,
        OLD.subject_type, OLD.subject_id, OLD.asset, OLD.first_seen)
       OR NEW.occurrences < OLD.occurrences OR NEW.last_seen < OLD.last_seen
       OR OLD.state = 'RESOLVED' AND (NEW.occurrences, NEW.resolved_at, NEW.resolved_by, NEW.classification, NEW.note)
          IS DISTINCT FROM (OLD.occurrences, OLD.resolved_at, OLD.resolved_by, OLD.classification, OLD.note) THEN
        RAISE EXCEPTION 'alert % keeps what it is about and what came of it', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('PENDING', 'SENT'), ('PENDING', 'ACKNOWLEDGED'), ('PENDING', 'RESOLVED'), ('SENT', 'ACKNOWLEDGED'),
        ('SENT', 'RESOLVED'), ('ACKNOWLEDGED', 'RESOLVED')) THEN
        RAISE EXCEPTION 'alert % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER alerts_move BEFORE INSERT OR UPDATE ON alerts
    FOR EACH ROW EXECUTE FUNCTION alerts_check_move();
CREATE TRIGGER alerts_kept BEFORE DELETE OR TRUNCATE ON alerts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER alert_configurations_kept BEFORE DELETE OR TRUNCATE ON alert_configurations
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER alert_steps_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON alert_steps
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER alert_notifications_kept BEFORE DELETE OR TRUNCATE ON alert_notifications
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER alert_notification_alerts_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON alert_notification_alerts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION alerts_check_move() SET search_path = %I, pg_temp', current_schema());
END;
$$;
