-- Every row of every table and report, a line each, named: what a copy of a database must have too.  To be run by psql.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET timezone = 'UTC';
SET extra_float_digits = 0;
SELECT format('SELECT %L || '' '' || to_jsonb(r)::text FROM workflow_track.%s AS r ORDER BY 1', relation, relation)
FROM (
	SELECT c.relname::text AS relation FROM pg_class AS c
	WHERE c.relnamespace = 'workflow_track'::regnamespace AND NOT c.relispartition AND c.relname NOT IN ('health', 'inbox', 'installation')
		AND (c.relkind IN ('r', 'p') OR c.relkind = 'v' AND to_regprocedure(format('workflow_track.%I(timestamptz)', c.relname || '_at')) IS NULL)
	UNION ALL
	SELECT format('%I(date_trunc(''month'', now(), ''UTC''))', p.proname) FROM pg_proc AS p
	WHERE p.pronamespace = 'workflow_track'::regnamespace AND p.proname LIKE '%\_at' AND p.proretset AND p.pronargs = 1) AS x
ORDER BY relation \gexec
