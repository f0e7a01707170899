CREATE EXTENSION workflow_track;

-- All that the extension installs is in its schema.
SELECT DISTINCT identity.schema
  FROM pg_depend AS member
       JOIN pg_extension AS extension ON extension.oid = member.refobjid AND extension.extname = 'workflow_track'
       CROSS JOIN LATERAL pg_identify_object(member.classid, member.objid, 0) AS identity
 WHERE member.refclassid = 'pg_extension'::regclass AND member.deptype = 'e' AND identity.schema IS NOT NULL;

-- Nothing in it lacks a comment (array types, which some servers count as members, have none).
SELECT pg_describe_object(member.classid, member.objid, 0) AS without_comment
  FROM pg_depend AS member
       JOIN pg_extension AS extension ON extension.oid = member.refobjid AND extension.extname = 'workflow_track'
 WHERE member.refclassid = 'pg_extension'::regclass AND member.deptype = 'e'
   AND obj_description(member.objid, member.classid::regclass::name) IS NULL
   AND NOT EXISTS (SELECT FROM pg_type WHERE oid = member.objid AND typcategory = 'A')
 ORDER BY 1;

-- PUBLIC may call none of its functions, nor look into the schema.
SELECT function.oid::regprocedure AS open_to_public
  FROM pg_proc AS function
       CROSS JOIN LATERAL aclexplode(coalesce(function.proacl, acldefault('f', function.proowner))) AS acl
 WHERE function.pronamespace = 'workflow_track'::regnamespace AND acl.grantee = 0
 ORDER BY 1::text;
SELECT has_schema_privilege('public', 'workflow_track', 'USAGE') AS usage,
	   has_schema_privilege('public', 'workflow_track', 'CREATE') AS "create";

-- Names in functions are looked up in pg_catalog alone.
SELECT function.oid::regprocedure AS without_search_path
  FROM pg_proc AS function
       JOIN pg_language AS language ON language.oid = function.prolang
 WHERE function.pronamespace = 'workflow_track'::regnamespace
   AND (language.lanname = 'plpgsql' OR function.prosecdef)
   AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(function.proconfig, '{}'))
 ORDER BY 1::text;

-- Without tables it goes without a trace.
DROP EXTENSION workflow_track;
SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('workflow_track');
