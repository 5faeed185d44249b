import type { ServerSide } from '../system/server-side.js';
import type { Invariant, Violation } from './fault-case.js';

/**
 * Sees every change that is committed, also those between two looks of a test: an ended row that changes its end (I2), a fence that falls or two
 * backups of one job at once (I3). Runs as the superuser in the database itself, and never stops the product.
 */
const TRIGGERS = `
CREATE SCHEMA fault_watch;
CREATE TABLE fault_watch.violations (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, invariant text NOT NULL, what text NOT NULL);

CREATE FUNCTION fault_watch.backup() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.status <> 'running' AND NEW.status <> OLD.status THEN
    INSERT INTO fault_watch.violations (invariant, what) VALUES ('I2', format('backup %s went from %s to %s', NEW.id, OLD.status, NEW.status));
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.fence < OLD.fence THEN
    INSERT INTO fault_watch.violations (invariant, what) VALUES ('I3', format('the fence of backup %s fell from %s to %s', NEW.id, OLD.fence, NEW.fence));
  END IF;
  IF NEW.status = 'running' AND EXISTS (SELECT 1 FROM backups WHERE job_id = NEW.job_id AND id <> NEW.id AND status = 'running') THEN
    INSERT INTO fault_watch.violations (invariant, what) VALUES ('I3', format('two backups of job %s run at once', NEW.job_id));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER fault_watch AFTER INSERT OR UPDATE ON backups FOR EACH ROW EXECUTE FUNCTION fault_watch.backup();

CREATE FUNCTION fault_watch.attempt() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF OLD.state <> 'running' AND NEW.state <> OLD.state THEN
    INSERT INTO fault_watch.violations (invariant, what) VALUES ('I2', format('attempt %s of backup %s went from %s to %s', NEW.fence, NEW.backup_id, OLD.state, NEW.state));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER fault_watch AFTER UPDATE ON backup_attempts FOR EACH ROW EXECUTE FUNCTION fault_watch.attempt();

CREATE FUNCTION fault_watch.restore() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF OLD.status <> 'running' AND NEW.status <> OLD.status THEN
    INSERT INTO fault_watch.violations (invariant, what) VALUES ('I2', format('restore %s went from %s to %s', NEW.id, OLD.status, NEW.status));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER fault_watch AFTER UPDATE ON restores FOR EACH ROW EXECUTE FUNCTION fault_watch.restore();

CREATE FUNCTION fault_watch.lease() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NEW.fence < OLD.fence THEN
    INSERT INTO fault_watch.violations (invariant, what) VALUES ('I3', format('the fence of %s fell from %s to %s', NEW.resource, OLD.fence, NEW.fence));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER fault_watch AFTER UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION fault_watch.lease();
`;

export async function watchRows({ postgres, databaseName }: ServerSide): Promise<void> {
  await postgres.query(TRIGGERS, { database: databaseName });
}

/** What was seen since the last time. */
export async function watchedViolations({ postgres, databaseName }: ServerSide): Promise<Violation[]> {
  const rows = await postgres.query('DELETE FROM fault_watch.violations RETURNING invariant, what', { database: databaseName });
  return rows.map(([invariant, what]) => ({ invariant: invariant as Invariant, what: String(what) }));
}
