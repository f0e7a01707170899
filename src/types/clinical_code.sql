CREATE TYPE workflow_track.clinical_code;

CREATE FUNCTION workflow_track.clinical_code_in(cstring) RETURNS workflow_track.clinical_code
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_in(cstring) IS 'I/O';

CREATE FUNCTION workflow_track.clinical_code_out(workflow_track.clinical_code) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_out(workflow_track.clinical_code) IS 'I/O';

CREATE FUNCTION workflow_track.clinical_code_recv(internal) RETURNS workflow_track.clinical_code
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_recv(internal) IS 'I/O';

CREATE FUNCTION workflow_track.clinical_code_send(workflow_track.clinical_code) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_send(workflow_track.clinical_code) IS 'I/O';

CREATE TYPE workflow_track.clinical_code (
	INPUT = workflow_track.clinical_code_in,
	OUTPUT = workflow_track.clinical_code_out,
	RECEIVE = workflow_track.clinical_code_recv,
	SEND = workflow_track.clinical_code_send,
	LIKE = pg_catalog.text
);
COMMENT ON TYPE workflow_track.clinical_code IS
'a code and its coding system, as system|code: loinc|2345-7, icd10cm|E11.9, local:LAB7|GLU';

-- There is no cast to text without function: to plan code::text LIKE, PostgreSQL 18 would
-- then look up the collation of an index on codes, which has none, and fail.

CREATE FUNCTION workflow_track.clinical_code(system pg_catalog.text, code pg_catalog.text)
RETURNS workflow_track.clinical_code
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'clinical_code_from_parts';
COMMENT ON FUNCTION workflow_track.clinical_code(pg_catalog.text, pg_catalog.text) IS
'the code that a message gives: one that is not valid is kept as local:system|code, a blank one is null';

CREATE FUNCTION workflow_track.clinical_code_prefix(prefix pg_catalog.text) RETURNS pg_catalog.text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_prefix(pg_catalog.text) IS
'what the codes that are <@ prefix begin with, byte for byte';

CREATE FUNCTION workflow_track.code_system(code workflow_track.clinical_code) RETURNS pg_catalog.text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'clinical_code_system';
COMMENT ON FUNCTION workflow_track.code_system(workflow_track.clinical_code) IS
'the coding system of a code: loinc of loinc|2345-7, local:LAB7 of local:LAB7|GLU';

CREATE FUNCTION workflow_track.code_value(code workflow_track.clinical_code) RETURNS pg_catalog.text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'clinical_code_value';
COMMENT ON FUNCTION workflow_track.code_value(workflow_track.clinical_code) IS
'a code without its coding system: 2345-7 of loinc|2345-7';

-- Order and equality.
CREATE FUNCTION workflow_track.clinical_code_eq(workflow_track.clinical_code, workflow_track.clinical_code) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_eq(workflow_track.clinical_code, workflow_track.clinical_code) IS 'implementation of = operator';

CREATE FUNCTION workflow_track.clinical_code_ne(workflow_track.clinical_code, workflow_track.clinical_code) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_ne(workflow_track.clinical_code, workflow_track.clinical_code) IS 'implementation of <> operator';

CREATE FUNCTION workflow_track.clinical_code_lt(workflow_track.clinical_code, workflow_track.clinical_code) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_lt(workflow_track.clinical_code, workflow_track.clinical_code) IS 'implementation of < operator';

CREATE FUNCTION workflow_track.clinical_code_le(workflow_track.clinical_code, workflow_track.clinical_code) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_le(workflow_track.clinical_code, workflow_track.clinical_code) IS 'implementation of <= operator';

CREATE FUNCTION workflow_track.clinical_code_gt(workflow_track.clinical_code, workflow_track.clinical_code) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_gt(workflow_track.clinical_code, workflow_track.clinical_code) IS 'implementation of > operator';

CREATE FUNCTION workflow_track.clinical_code_ge(workflow_track.clinical_code, workflow_track.clinical_code) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_ge(workflow_track.clinical_code, workflow_track.clinical_code) IS 'implementation of >= operator';

CREATE FUNCTION workflow_track.clinical_code_cmp(workflow_track.clinical_code, workflow_track.clinical_code) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_cmp(workflow_track.clinical_code, workflow_track.clinical_code) IS 'less-equal-greater';

CREATE FUNCTION workflow_track.clinical_code_sortsupport(internal) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_sortsupport(internal) IS 'sort support';

CREATE FUNCTION workflow_track.clinical_code_hash(workflow_track.clinical_code) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_hash(workflow_track.clinical_code) IS 'hash';

CREATE FUNCTION workflow_track.clinical_code_hash_extended(workflow_track.clinical_code, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_hash_extended(workflow_track.clinical_code, bigint) IS 'hash';

CREATE OPERATOR workflow_track.= (
	FUNCTION = workflow_track.clinical_code_eq,
	LEFTARG = workflow_track.clinical_code, RIGHTARG = workflow_track.clinical_code,
	COMMUTATOR = OPERATOR(workflow_track.=), NEGATOR = OPERATOR(workflow_track.<>),
	RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR workflow_track.= (workflow_track.clinical_code, workflow_track.clinical_code) IS 'equal';

CREATE OPERATOR workflow_track.<> (
	FUNCTION = workflow_track.clinical_code_ne,
	LEFTARG = workflow_track.clinical_code, RIGHTARG = workflow_track.clinical_code,
	COMMUTATOR = OPERATOR(workflow_track.<>), NEGATOR = OPERATOR(workflow_track.=),
	RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR workflow_track.<> (workflow_track.clinical_code, workflow_track.clinical_code) IS 'not equal';

CREATE OPERATOR workflow_track.< (
	FUNCTION = workflow_track.clinical_code_lt,
	LEFTARG = workflow_track.clinical_code, RIGHTARG = workflow_track.clinical_code,
	COMMUTATOR = OPERATOR(workflow_track.>), NEGATOR = OPERATOR(workflow_track.>=),
	RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR workflow_track.< (workflow_track.clinical_code, workflow_track.clinical_code) IS 'less than';

CREATE OPERATOR workflow_track.<= (
	FUNCTION = workflow_track.clinical_code_le,
	LEFTARG = workflow_track.clinical_code, RIGHTARG = workflow_track.clinical_code,
	COMMUTATOR = OPERATOR(workflow_track.>=), NEGATOR = OPERATOR(workflow_track.>),
	RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR workflow_track.<= (workflow_track.clinical_code, workflow_track.clinical_code) IS 'less than or equal';

CREATE OPERATOR workflow_track.> (
	FUNCTION = workflow_track.clinical_code_gt,
	LEFTARG = workflow_track.clinical_code, RIGHTARG = workflow_track.clinical_code,
	COMMUTATOR = OPERATOR(workflow_track.<), NEGATOR = OPERATOR(workflow_track.<=),
	RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR workflow_track.> (workflow_track.clinical_code, workflow_track.clinical_code) IS 'greater than';

CREATE OPERATOR workflow_track.>= (
	FUNCTION = workflow_track.clinical_code_ge,
	LEFTARG = workflow_track.clinical_code, RIGHTARG = workflow_track.clinical_code,
	COMMUTATOR = OPERATOR(workflow_track.<=), NEGATOR = OPERATOR(workflow_track.<),
	RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR workflow_track.>= (workflow_track.clinical_code, workflow_track.clinical_code) IS 'greater than or equal';

CREATE OPERATOR CLASS workflow_track.clinical_code_ops
DEFAULT FOR TYPE workflow_track.clinical_code USING btree AS
	OPERATOR 1 workflow_track.<,
	OPERATOR 2 workflow_track.<=,
	OPERATOR 3 workflow_track.=,
	OPERATOR 4 workflow_track.>=,
	OPERATOR 5 workflow_track.>,
	FUNCTION 1 workflow_track.clinical_code_cmp(workflow_track.clinical_code, workflow_track.clinical_code),
	FUNCTION 2 workflow_track.clinical_code_sortsupport(internal),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS workflow_track.clinical_code_ops USING btree IS 'order of codes, by their bytes';
COMMENT ON OPERATOR FAMILY workflow_track.clinical_code_ops USING btree IS 'order of codes, by their bytes';

CREATE OPERATOR CLASS workflow_track.clinical_code_ops
DEFAULT FOR TYPE workflow_track.clinical_code USING hash AS
	OPERATOR 1 workflow_track.=,
	FUNCTION 1 workflow_track.clinical_code_hash(workflow_track.clinical_code),
	FUNCTION 2 workflow_track.clinical_code_hash_extended(workflow_track.clinical_code, bigint);
COMMENT ON OPERATOR CLASS workflow_track.clinical_code_ops USING hash IS 'equality of codes';
COMMENT ON OPERATOR FAMILY workflow_track.clinical_code_ops USING hash IS 'equality of codes';

-- Prefixes.  The planner turns <@ a constant into ^@, and that into a range of an index.
CREATE FUNCTION workflow_track.clinical_code_within_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_within_support(internal) IS 'planner support for clinical_code_within';

CREATE FUNCTION workflow_track.clinical_code_starts_with_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_starts_with_support(internal) IS 'planner support for clinical_code_starts_with';

CREATE FUNCTION workflow_track.clinical_code_within(code workflow_track.clinical_code, prefix pg_catalog.text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SUPPORT workflow_track.clinical_code_within_support AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_within(workflow_track.clinical_code, pg_catalog.text) IS 'implementation of <@ operator';

CREATE FUNCTION workflow_track.clinical_code_starts_with(code workflow_track.clinical_code, prefix pg_catalog.text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE SUPPORT workflow_track.clinical_code_starts_with_support AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.clinical_code_starts_with(workflow_track.clinical_code, pg_catalog.text) IS 'implementation of ^@ operator';

CREATE OPERATOR workflow_track.<@ (
	FUNCTION = workflow_track.clinical_code_within,
	LEFTARG = workflow_track.clinical_code, RIGHTARG = pg_catalog.text,
	RESTRICT = pg_catalog.matchingsel, JOIN = pg_catalog.matchingjoinsel
);
COMMENT ON OPERATOR workflow_track.<@ (workflow_track.clinical_code, pg_catalog.text) IS
'begins with a prefix that is written as codes are: cpt|, icd10cm|e11';

CREATE OPERATOR workflow_track.^@ (
	FUNCTION = workflow_track.clinical_code_starts_with,
	LEFTARG = workflow_track.clinical_code, RIGHTARG = pg_catalog.text,
	RESTRICT = pg_catalog.matchingsel, JOIN = pg_catalog.matchingjoinsel
);
COMMENT ON OPERATOR workflow_track.^@ (workflow_track.clinical_code, pg_catalog.text) IS
'begins with these bytes, such as clinical_code_prefix() gives';
