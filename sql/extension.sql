CREATE EXTENSION workflow_track;

-- Members of the extension.
CREATE VIEW member AS
SELECT classid, objid, pg_describe_object(classid, objid, 0) AS object, (pg_identify_object(classid, objid, 0)).schema
  FROM pg_depend
 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'workflow_track');

-- They are all in its schema.
SELECT DISTINCT schema FROM member WHERE schema IS NOT NULL;

-- None lacks a comment (array types, which some servers count as members, have none).
SELECT object AS without_comment FROM member
 WHERE obj_description(objid, classid::regclass::name) IS NULL
   AND NOT EXISTS (SELECT FROM pg_type WHERE oid = objid AND typcategory = 'A')
 ORDER BY 1;

-- PUBLIC may call no function.
SELECT p.oid::regprocedure AS open_to_public
  FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
 WHERE p.pronamespace = 'workflow_track'::regnamespace AND a.grantee = 0
 ORDER BY p.proname;

-- Names in functions are looked up in pg_catalog alone (a procedure that commits cannot have the setting).
SELECT p.oid::regprocedure AS without_search_path
  FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
 WHERE p.pronamespace = 'workflow_track'::regnamespace
   AND (l.lanname = 'plpgsql' AND p.prokind <> 'p' OR p.prosecdef)
   AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))
 ORDER BY p.proname;

-- Without setup() there is no table or view, and it goes without a trace.
SELECT count(*) FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind <> 'c';
DROP EXTENSION workflow_track;
SELECT pg_describe_object(classid, objid, objsubid) AS left_behind
  FROM pg_depend WHERE refobjid = to_regnamespace('workflow_track');

-- What setup() makes are no members.  A second call changes nothing.
CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
CREATE VIEW made AS
SELECT c.oid, c.relname, c.relacl::text, pg_get_viewdef(c.oid) AS view, d.description,
	   (SELECT array_agg(t.oid ORDER BY t.oid) FROM pg_trigger AS t WHERE t.tgrelid = c.oid) AS triggers
  FROM pg_class AS c LEFT JOIN pg_description AS d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
 WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'i', 'I', 'S');
SELECT object FROM member JOIN made ON oid = objid AND classid = 'pg_class'::regclass;
CREATE TABLE made_first AS TABLE made;
SELECT workflow_track.setup();
SELECT relname FROM (TABLE made EXCEPT TABLE made_first) AS m;
SELECT relname FROM (TABLE made_first EXCEPT TABLE made) AS m;

-- Tables, views and columns of views have comments.
SELECT relname AS without_comment FROM made JOIN pg_class AS c USING (oid, relname)
 WHERE c.relkind IN ('r', 'p', 'v') AND description IS NULL
 ORDER BY 1;
SELECT c.relname, a.attname AS without_comment
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind = 'v' AND col_description(c.oid, a.attnum) IS NULL
 ORDER BY 1, 2;

-- PUBLIC has nothing, still.
SELECT n.nspname AS open_to_public FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
 WHERE n.nspname = 'workflow_track' AND a.grantee = 0
UNION ALL
SELECT c.oid::regclass::text FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
 WHERE c.relnamespace = 'workflow_track'::regnamespace AND a.grantee = 0
UNION ALL
SELECT p.oid::regprocedure::text
  FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
 WHERE p.pronamespace = 'workflow_track'::regnamespace AND a.grantee = 0;

-- Recorded events are not dropped with the extension.
\set VERBOSITY terse
DROP EXTENSION workflow_track;
