-- Clients propose through the API as staff do in the console. A constant default: no row is rewritten.
ALTER TABLE approvals ADD COLUMN maker_kind varchar(6) NOT NULL DEFAULT 'staff';

-- Whose client or colleague it was that asked is never rewritten either.
CREATE TRIGGER approvals_keep_maker BEFORE UPDATE OF maker_kind ON approvals
    FOR EACH ROW WHEN (NEW.maker_kind IS DISTINCT FROM OLD.maker_kind) EXECUTE FUNCTION ledger_refuse_change();
