CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SET search_path = workflow_track;

-- Whatever is in the schema has a comment: tables, views and their columns,
SELECT c.relname, a.attname AS without_comment
  FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind IN ('r', 'p', 'v')
   AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL)
 ORDER BY c.relname, a.attnum;
-- and functions.
SELECT oid::regprocedure AS without_comment FROM pg_proc
 WHERE pronamespace = 'workflow_track'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL ORDER BY proname;

-- Functions that run as their owner look names up in pg_catalog alone, and so do those in PL/pgSQL (but procedures, which commit).
SELECT p.oid::regprocedure AS without_search_path
  FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
 WHERE p.pronamespace = 'workflow_track'::regnamespace AND (l.lanname = 'plpgsql' AND p.prokind <> 'p' OR p.prosecdef)
   AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}')) ORDER BY p.proname;
SELECT oid::regprocedure AS runs_as_owner FROM pg_proc WHERE pronamespace = 'workflow_track'::regnamespace AND prosecdef ORDER BY proname;

-- Identifiers are compared by bytes: what is not is text for people.
SELECT c.relname, a.attname AS not_by_bytes
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attcollation NOT IN (0, '"C"'::regcollation)
 ORDER BY c.relname, a.attnum;
-- What codes are compared by lets conditions through views; that of a prefix does not, as a wrong one is an error.
SELECT oprcode::regprocedure AS not_leakproof FROM pg_operator JOIN pg_proc AS p ON p.oid = oprcode
 WHERE oprnamespace = 'workflow_track'::regnamespace AND oprresult = 'boolean'::regtype AND oprleft = 'clinical_code'::regtype AND NOT p.proleakproof ORDER BY 1;
-- Views that choose rows by facility are barriers; those without are made of them, or of none.
SELECT relname AS no_barrier, reloptions FROM pg_class
 WHERE relnamespace = 'workflow_track'::regnamespace AND relkind = 'v' AND NOT 'security_barrier=true' = ANY (coalesce(reloptions, '{}')) ORDER BY relname;

-- Triggers fire for what logical replication applies, too, but for those that guard.
SELECT tgrelid::regclass AS relation, tgname, tgenabled FROM pg_trigger
 WHERE NOT tgisinternal AND tgenabled <> 'A' AND tgrelid NOT IN (SELECT inhrelid FROM pg_inherits) ORDER BY tgrelid::regclass::text COLLATE "C", tgname;
-- No table refers to another by an oid, which a dump would not keep.
SELECT c.relname, a.attname, a.atttypid::regtype FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind IN ('r', 'p') AND (a.atttypid = 'oid'::regtype OR a.atttypid::regtype::text LIKE 'reg%');

-- setup() that has nothing to do writes nothing.
BEGIN;
SELECT workflow_track.setup();
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written;
COMMIT;
