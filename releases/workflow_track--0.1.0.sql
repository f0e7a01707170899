\echo Use "CREATE EXTENSION workflow_track" to load this file. \quit

-- Bodies may name tables, which setup() makes later.
SET LOCAL check_function_bodies = off;
CREATE TYPE workflow_track.severity AS ENUM ('normal', 'abnormal', 'critical');
COMMENT ON TYPE workflow_track.severity IS 'how far a result is from what is expected, mildest first';

CREATE TYPE workflow_track.entry_method AS ENUM ('interface', 'manual');
COMMENT ON TYPE workflow_track.entry_method IS 'whether a system sent an event or a person typed it';

CREATE TYPE workflow_track.time_precision AS ENUM ('second', 'minute', 'hour', 'day', 'month', 'year');
COMMENT ON TYPE workflow_track.time_precision IS 'how exactly a time was known, finest first';
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
CREATE TYPE workflow_track.latency_histogram;

CREATE FUNCTION workflow_track.latency_histogram_in(cstring) RETURNS workflow_track.latency_histogram
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_in(cstring) IS 'I/O';

CREATE FUNCTION workflow_track.latency_histogram_out(workflow_track.latency_histogram) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_out(workflow_track.latency_histogram) IS 'I/O';

CREATE FUNCTION workflow_track.latency_histogram_recv(internal) RETURNS workflow_track.latency_histogram
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_recv(internal) IS 'I/O';

CREATE FUNCTION workflow_track.latency_histogram_send(workflow_track.latency_histogram) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_send(workflow_track.latency_histogram) IS 'I/O';

CREATE TYPE workflow_track.latency_histogram (
	INPUT = workflow_track.latency_histogram_in,
	OUTPUT = workflow_track.latency_histogram_out,
	RECEIVE = workflow_track.latency_histogram_recv,
	SEND = workflow_track.latency_histogram_send,
	STORAGE = extended
);
COMMENT ON TYPE workflow_track.latency_histogram IS
'durations counted in buckets within 1 % of each, to be merged, subtracted and asked for quantiles';

-- Equality

CREATE FUNCTION workflow_track.latency_histogram_eq(workflow_track.latency_histogram, workflow_track.latency_histogram) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_eq(workflow_track.latency_histogram, workflow_track.latency_histogram) IS 'implementation of = operator';

CREATE FUNCTION workflow_track.latency_histogram_ne(workflow_track.latency_histogram, workflow_track.latency_histogram) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_ne(workflow_track.latency_histogram, workflow_track.latency_histogram) IS 'implementation of <> operator';

CREATE FUNCTION workflow_track.latency_histogram_hash(workflow_track.latency_histogram) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_hash(workflow_track.latency_histogram) IS 'hash';

CREATE FUNCTION workflow_track.latency_histogram_hash_extended(workflow_track.latency_histogram, bigint) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_hash_extended(workflow_track.latency_histogram, bigint) IS 'hash';

CREATE OPERATOR workflow_track.= (
	LEFTARG = workflow_track.latency_histogram, RIGHTARG = workflow_track.latency_histogram,
	FUNCTION = workflow_track.latency_histogram_eq,
	COMMUTATOR = OPERATOR(workflow_track.=), NEGATOR = OPERATOR(workflow_track.<>),
	RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES
);
COMMENT ON OPERATOR workflow_track.= (workflow_track.latency_histogram, workflow_track.latency_histogram) IS 'equal';

CREATE OPERATOR workflow_track.<> (
	LEFTARG = workflow_track.latency_histogram, RIGHTARG = workflow_track.latency_histogram,
	FUNCTION = workflow_track.latency_histogram_ne,
	COMMUTATOR = OPERATOR(workflow_track.<>), NEGATOR = OPERATOR(workflow_track.=),
	RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR workflow_track.<> (workflow_track.latency_histogram, workflow_track.latency_histogram) IS 'not equal';

CREATE OPERATOR FAMILY workflow_track.latency_histogram_ops USING hash;
COMMENT ON OPERATOR FAMILY workflow_track.latency_histogram_ops USING hash IS 'equality of histograms';

CREATE OPERATOR CLASS workflow_track.latency_histogram_ops
	DEFAULT FOR TYPE workflow_track.latency_histogram USING hash FAMILY workflow_track.latency_histogram_ops AS
	OPERATOR 1 workflow_track.=,
	FUNCTION 1 workflow_track.latency_histogram_hash(workflow_track.latency_histogram),
	FUNCTION 2 workflow_track.latency_histogram_hash_extended(workflow_track.latency_histogram, bigint);
COMMENT ON OPERATOR CLASS workflow_track.latency_histogram_ops USING hash IS 'equality of histograms';

-- Adding and subtracting

CREATE FUNCTION workflow_track.latency_histogram_add(workflow_track.latency_histogram, workflow_track.latency_histogram) RETURNS workflow_track.latency_histogram
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_add(workflow_track.latency_histogram, workflow_track.latency_histogram) IS 'implementation of + operator';

CREATE FUNCTION workflow_track.latency_histogram_subtract(workflow_track.latency_histogram, workflow_track.latency_histogram) RETURNS workflow_track.latency_histogram
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_subtract(workflow_track.latency_histogram, workflow_track.latency_histogram) IS 'implementation of - operator';

CREATE OPERATOR workflow_track.+ (
	LEFTARG = workflow_track.latency_histogram, RIGHTARG = workflow_track.latency_histogram,
	FUNCTION = workflow_track.latency_histogram_add,
	COMMUTATOR = OPERATOR(workflow_track.+)
);
COMMENT ON OPERATOR workflow_track.+ (workflow_track.latency_histogram, workflow_track.latency_histogram) IS 'the samples of both';

CREATE OPERATOR workflow_track.- (
	LEFTARG = workflow_track.latency_histogram, RIGHTARG = workflow_track.latency_histogram,
	FUNCTION = workflow_track.latency_histogram_subtract
);
COMMENT ON OPERATOR workflow_track.- (workflow_track.latency_histogram, workflow_track.latency_histogram) IS 'the samples of the first without those of the second; undoes +';

-- Questions

CREATE FUNCTION workflow_track.sample_count(histogram workflow_track.latency_histogram) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'latency_histogram_sample_count';
COMMENT ON FUNCTION workflow_track.sample_count(workflow_track.latency_histogram) IS 'number of durations';

CREATE FUNCTION workflow_track.mean(histogram workflow_track.latency_histogram) RETURNS interval
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'latency_histogram_mean';
COMMENT ON FUNCTION workflow_track.mean(workflow_track.latency_histogram) IS 'mean duration, exact to the microsecond';

CREATE FUNCTION workflow_track.shortest(histogram workflow_track.latency_histogram) RETURNS interval
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'latency_histogram_shortest';
COMMENT ON FUNCTION workflow_track.shortest(workflow_track.latency_histogram) IS 'shortest duration, within 1 %';

CREATE FUNCTION workflow_track.longest(histogram workflow_track.latency_histogram) RETURNS interval
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'latency_histogram_longest';
COMMENT ON FUNCTION workflow_track.longest(workflow_track.latency_histogram) IS 'longest duration, within 1 %';

CREATE FUNCTION workflow_track.quantile(histogram workflow_track.latency_histogram, fraction double precision) RETURNS interval
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'latency_histogram_quantile';
COMMENT ON FUNCTION workflow_track.quantile(workflow_track.latency_histogram, double precision) IS
'duration that this fraction of them do not exceed, as percentile_cont, within 1 %';

CREATE FUNCTION workflow_track.quantiles(histogram workflow_track.latency_histogram, fractions double precision[]) RETURNS interval[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'latency_histogram_quantiles';
COMMENT ON FUNCTION workflow_track.quantiles(workflow_track.latency_histogram, double precision[]) IS
'quantiles of several fractions, in an array of the same shape';

-- Aggregates

CREATE FUNCTION workflow_track.latency_histogram_accum(internal, interval) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_accum(internal, interval) IS 'aggregate transition function';

CREATE FUNCTION workflow_track.latency_histogram_accum_inverse(internal, interval) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_accum_inverse(internal, interval) IS 'aggregate transition function';

CREATE FUNCTION workflow_track.latency_histogram_merge(internal, workflow_track.latency_histogram) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_merge(internal, workflow_track.latency_histogram) IS 'aggregate transition function';

CREATE FUNCTION workflow_track.latency_histogram_merge_inverse(internal, workflow_track.latency_histogram) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_merge_inverse(internal, workflow_track.latency_histogram) IS 'aggregate transition function';

CREATE FUNCTION workflow_track.latency_histogram_combine(internal, internal) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_combine(internal, internal) IS 'aggregate combine function';

CREATE FUNCTION workflow_track.latency_histogram_serial(internal) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_serial(internal) IS 'aggregate serial function';

CREATE FUNCTION workflow_track.latency_histogram_deserial(bytea, internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_deserial(bytea, internal) IS 'aggregate deserial function';

CREATE FUNCTION workflow_track.latency_histogram_final(internal) RETURNS workflow_track.latency_histogram
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.latency_histogram_final(internal) IS 'aggregate final function';

CREATE AGGREGATE workflow_track.latency_histogram(interval) (
	SFUNC = workflow_track.latency_histogram_accum, STYPE = internal, SSPACE = 256,
	FINALFUNC = workflow_track.latency_histogram_final,
	COMBINEFUNC = workflow_track.latency_histogram_combine,
	SERIALFUNC = workflow_track.latency_histogram_serial,
	DESERIALFUNC = workflow_track.latency_histogram_deserial,
	MSFUNC = workflow_track.latency_histogram_accum, MSTYPE = internal, MSSPACE = 256,
	MINVFUNC = workflow_track.latency_histogram_accum_inverse,
	MFINALFUNC = workflow_track.latency_histogram_final,
	PARALLEL = safe
);
COMMENT ON AGGREGATE workflow_track.latency_histogram(interval) IS 'histogram of durations';

CREATE AGGREGATE workflow_track.merge(workflow_track.latency_histogram) (
	SFUNC = workflow_track.latency_histogram_merge, STYPE = internal, SSPACE = 256,
	FINALFUNC = workflow_track.latency_histogram_final,
	COMBINEFUNC = workflow_track.latency_histogram_combine,
	SERIALFUNC = workflow_track.latency_histogram_serial,
	DESERIALFUNC = workflow_track.latency_histogram_deserial,
	MSFUNC = workflow_track.latency_histogram_merge, MSTYPE = internal, MSSPACE = 256,
	MINVFUNC = workflow_track.latency_histogram_merge_inverse,
	MFINALFUNC = workflow_track.latency_histogram_final,
	PARALLEL = safe
);
COMMENT ON AGGREGATE workflow_track.merge(workflow_track.latency_histogram) IS 'the samples of all histograms';
-- The check of a workflow document: what it may hold is data (map_keys), and
-- one walk over the document gives its faults in order.

CREATE TYPE workflow_track.map_fault AS (path text, problem text, hint text);
COMMENT ON TYPE workflow_track.map_fault IS 'what is wrong with a workflow document, where, and what to write instead';

-- A key's form is a word that map_check_scalar knows or {part}; after it, *
-- stands for a list, + for a list that is not empty, / for one value or such
-- a list.
CREATE FUNCTION workflow_track.map_keys(part text)
RETURNS TABLE (key text, form text, required boolean)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.key, k.form, k.required
	FROM (VALUES
		('document', 'workflow', 'name', true),
		('document', 'version', 'version', true),
		('document', 'state', 'state', false),
		('document', 'steps', '{step}*', false),
		('document', 'transitions', 'transition*', false),
		('document', 'expectations', '{expectation}*', false),
		('document', 'duplicates', '{duplicate}*', false),
		('document', 'billing', '{billing}*', false),
		('step', 'step', 'name', true),
		('step', 'kind', 'kind', true),
		('step', 'performed_by', 'name*', false),
		('step', 'in', 'name*', false),
		('step', 'delivered_to', 'name*', false),
		('step', 'required_fields', 'field*', false),
		('step', 'optional', 'boolean', false),
		('step', 'repeatable', 'boolean', false),
		('step', 'start', 'boolean', false),
		('step', 'end', 'boolean', false),
		('expectation', 'name', 'name', true),
		('expectation', 'category', 'category', true),
		('expectation', 'after', 'kind+', true),
		('expectation', 'when', '{when}', false),
		('expectation', 'expect', 'kind+', true),
		('expectation', 'by', 'name*', false),
		('expectation', 'correlated_by', 'correlation', true),
		('expectation', 'within', 'within', true),
		('expectation', 'early', 'early', false),
		('expectation', 'cancelled_by', 'cancel*', false),
		('expectation', 'escalate_to', 'name', false),
		('cancel', 'kind', 'kind', true),
		('cancel', 'correlated_by', 'correlation', false),
		('duplicate', 'name', 'name', false),
		('duplicate', 'kind', 'kind', true),
		('duplicate', 'same', 'column+', true),
		('duplicate', 'different', 'column*', false),
		('duplicate', 'when', '{when}', false),
		('duplicate', 'within', 'within', true),
		('duplicate', 'action', 'action', false),
		('billing', 'name', 'name', false),
		('billing', 'codes', 'codes', true),
		('billing', 'documented_by', 'kind+', true),
		('billing', 'requires_authorization', 'boolean', false),
		('billing', 'requires_modifiers', 'name*', false),
		('billing', 'within', 'within', true),
		('when', 'severity', 'severity/', false),
		('when', 'facility', 'facility/', false),
		('when', 'entry_method', 'entry method/', false),
		('when', 'code', 'codes', false),
		('when', 'detail', 'detail', false)
	) AS k(part, key, form, required)
	WHERE k.part = map_keys.part
$$;
COMMENT ON FUNCTION workflow_track.map_keys(text) IS
'the keys of one part of a workflow document, in the order in which they are checked';

CREATE FUNCTION workflow_track.map_words(form text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE form
		WHEN 'state' THEN ARRAY['draft', 'current', 'future', 'retired']
		WHEN 'category' THEN ARRAY['acknowledgement', 'follow_up', 'referral', 'notification', 'order', 'handoff', 'claim']
		WHEN 'correlation' THEN ARRAY['patient', 'encounter', 'subject', 'item']
		WHEN 'action' THEN ARRAY['flag', 'reject']
		WHEN 'severity' THEN ARRAY['normal', 'abnormal', 'critical', 'unknown']
		WHEN 'entry method' THEN ARRAY['interface', 'manual', 'unknown']
		WHEN 'column' THEN ARRAY['facility', 'encounter_id', 'subject', 'item', 'occurred_at', 'planned_at', 'code',
			'value', 'severity', 'actor', 'actor_role', 'recipient', 'recipient_role', 'source_system', 'entry_method']
	END
$$;
COMMENT ON FUNCTION workflow_track.map_words(text) IS
'the words that a workflow document may use where it has a choice of a few';

CREATE FUNCTION workflow_track.map_form(form text, OUT what text, OUT hint text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(f.what, map_form.form),
		coalesce(f.hint, 'Use '
			|| regexp_replace(array_to_string(workflow_track.map_words(map_form.form), ', '), ', (\w+)$', ' or \1') || '.')
	FROM (SELECT) AS one
	LEFT JOIN (VALUES
		('name', 'name', 'A name is a text that is not empty and has no outer blanks.'),
		('facility', 'facility', 'A facility is a text without outer blanks; it is empty where an event names none.'),
		('boolean', 'boolean', 'Use true or false, without quotes.'),
		('version', 'version', 'Use a whole number from 0 to 999999999.'),
		('kind', 'kind of event', 'Kinds are the rows of table workflow_track.event_kind; sites may add theirs.'),
		('step', 'step of this document', 'Use the names of its steps.'),
		('transition', 'transition', 'Use a list of two steps, ["from", "to"].'),
		('field', 'field of an event', 'Use a column of event, "detail.KEY" or "code:SYSTEM".'),
		('column', 'column that entries are compared by', NULL),
		('codes', 'beginning of a code', 'Write it as system|beginning, as in "icd10cm|E11"; "cpt|" is every code of that system.'),
		('within', 'exact duration above zero', 'Use weeks, days, hours, minutes or seconds.'),
		('early', 'exact duration', 'Use weeks, days, hours, minutes or seconds.'),
		('detail', 'object', 'Use {"key": value} or {"key": [value, value]}.'),
		('value', 'value', 'A missing value satisfies no condition on detail.')
	) AS f(form, what, hint) ON f.form = map_form.form
$$;
COMMENT ON FUNCTION workflow_track.map_form(text) IS
'what a form is called in an error, and what to write instead';

CREATE FUNCTION workflow_track.map_path(path text, key text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT path || '.' || CASE WHEN key ~ '^[A-Za-z_][A-Za-z0-9_]*$' THEN key ELSE to_json(key)::text END
$$;
COMMENT ON FUNCTION workflow_track.map_path(text, text) IS 'the JSON path of a key of the object at a path';

CREATE FUNCTION workflow_track.map_excerpt(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN length(v) > 80 THEN left(v, 77) || '...' ELSE v END
	FROM coalesce(value::text, 'null') AS v
$$;
COMMENT ON FUNCTION workflow_track.map_excerpt(jsonb) IS 'a value for an error message, cut if it is long';

CREATE FUNCTION workflow_track.map_duration(duration text) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET intervalstyle = postgres AS $$
DECLARE
	exact CONSTANT text := '^\s*([0-9]+(\.[0-9]+)?\s*(week|day|hour|minute|second)s?\s*)*'
		'([0-9]+:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?\s*)?$';
BEGIN
	-- A day is 24 hours: in hours, adding it to a time meets no change of clocks.
	RETURN CASE WHEN duration ~* exact THEN extract(epoch FROM duration::interval) * interval '1 second' END;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION workflow_track.map_duration(text) IS
'the duration that a text stands for, in hours, or null if it is not an exact one';

CREATE FUNCTION workflow_track.map_code_prefix(prefix text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- A bare system stands for all of its codes, but a map is clearer with the bar.
	IF prefix ~ '\|' THEN
		RETURN workflow_track.clinical_code_prefix(prefix);
	END IF;
	RETURN NULL;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION workflow_track.map_code_prefix(text) IS
'the beginning of a code as codes are normalised, or null if it is not one';

CREATE FUNCTION workflow_track.map_scalar_faults(document jsonb, path text, form text, value jsonb)
RETURNS SETOF workflow_track.map_fault
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	word text COLLATE "C" := CASE WHEN jsonb_typeof(value) = 'string' THEN value #>> '{}' END;
	good boolean;
BEGIN
	good := CASE form
		WHEN 'name' THEN word <> '' AND word = btrim(word)
		WHEN 'facility' THEN word = btrim(word)
		WHEN 'boolean' THEN jsonb_typeof(value) = 'boolean'
		WHEN 'version' THEN value::text ~ '^[0-9]{1,9}$'
		WHEN 'kind' THEN EXISTS (SELECT FROM workflow_track.event_kind AS k WHERE k.kind = word)
		WHEN 'step' THEN jsonb_path_query_array(document, '$.steps[*].step') ? word
		WHEN 'transition' THEN jsonb_typeof(value) = 'array' AND jsonb_array_length(value) = 2
		WHEN 'field' THEN word = ANY (workflow_track.map_words('column')
				|| ARRAY['patient_id', 'kind', 'source_sequence', 'time_precision', 'message_id', 'detail'])
			OR word ~ '^detail\..' OR word ~ '^code:([a-z0-9]+|local:[^|]+)$'
		WHEN 'codes' THEN workflow_track.map_code_prefix(word) IS NOT NULL
		WHEN 'within' THEN workflow_track.map_duration(word) > interval '0'
		WHEN 'early' THEN workflow_track.map_duration(word) >= interval '0'
		WHEN 'detail' THEN jsonb_typeof(value) = 'object'
		WHEN 'value' THEN jsonb_typeof(value) <> 'null'
		ELSE word = ANY (workflow_track.map_words(form))
	END;
	IF good IS NOT TRUE THEN
		RETURN QUERY SELECT path, workflow_track.map_excerpt(value) || ' is not '
			|| CASE WHEN f.what ~ '^[aeiou]' THEN 'an ' ELSE 'a ' END || f.what || '.', f.hint
		FROM workflow_track.map_form(form) AS f;
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.map_scalar_faults(jsonb, text, text, jsonb) IS
'the fault of a value whose form is neither list nor part, if it has one';

CREATE FUNCTION workflow_track.map_list_faults(document jsonb, path text, form text, list jsonb)
RETURNS SETOF workflow_track.map_fault
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	name_key CONSTANT text := CASE form WHEN '{step}' THEN 'step' ELSE 'name' END;
	element jsonb;
	element_path text;
	identity jsonb;
	seen jsonb[] := '{}';
BEGIN
	FOR element IN SELECT jsonb_array_elements(list)
	LOOP
		element_path := format('%s[%s]', path, cardinality(seen));
		RETURN QUERY SELECT * FROM workflow_track.map_value_faults(document, element_path, form, element);

		-- Parts are told apart by their names, other things by what they are.
		identity := element;
		IF form LIKE '{%' AND jsonb_typeof(element) = 'object' AND element ? name_key THEN
			identity := element -> name_key;
			element_path := workflow_track.map_path(element_path, name_key);
		END IF;
		IF identity = ANY (seen) THEN
			RETURN QUERY SELECT element_path, workflow_track.map_excerpt(identity) || ' stands in this list twice.',
				'Remove or rename one of the two.';
		END IF;
		seen := array_append(seen, identity);
	END LOOP;
END
$$;
COMMENT ON FUNCTION workflow_track.map_list_faults(jsonb, text, text, jsonb) IS
'the faults of a list: elements that are not of a form, or there twice';

CREATE FUNCTION workflow_track.map_value_faults(document jsonb, path text, form text, value jsonb)
RETURNS SETOF workflow_track.map_fault
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	many CONSTANT text := substring(form FROM '[*+/]$');
	base CONSTANT text := rtrim(form, '*+/');
BEGIN
	IF many IS NULL OR many = '/' AND jsonb_typeof(value) <> 'array' THEN
		IF base LIKE '{%' OR base = 'cancel' AND jsonb_typeof(value) = 'object' THEN
			RETURN QUERY SELECT * FROM workflow_track.map_part_faults(document, path, btrim(base, '{}'), value);
		ELSE
			RETURN QUERY SELECT * FROM workflow_track.map_scalar_faults(document, path, replace(base, 'cancel', 'kind'), value);
		END IF;
		IF base = 'transition' AND jsonb_typeof(value) = 'array' THEN
			RETURN QUERY SELECT f.*
			FROM jsonb_array_elements(value) WITH ORDINALITY AS e(element, n),
				workflow_track.map_scalar_faults(document, format('%s[%s]', path, e.n - 1), 'step', e.element) AS f;
		ELSIF base = 'detail' AND jsonb_typeof(value) = 'object' THEN
			RETURN QUERY SELECT f.*
			FROM jsonb_each(value) AS e,
				workflow_track.map_value_faults(document, workflow_track.map_path(path, e.key), 'value/', e.value) AS f;
		END IF;
	ELSIF jsonb_typeof(value) <> 'array' THEN
		RETURN QUERY SELECT path, workflow_track.map_excerpt(value) || ' is not a list.', 'Use [...], even for one.';
	ELSIF many <> '*' AND jsonb_array_length(value) = 0 THEN
		RETURN QUERY SELECT path, 'The list is empty.', 'Name at least one.';
	ELSE
		RETURN QUERY SELECT * FROM workflow_track.map_list_faults(document, path, base, value);
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.map_value_faults(jsonb, text, text, jsonb) IS
'the faults of a value that should be of a form';

CREATE FUNCTION workflow_track.map_part_faults(document jsonb, path text, part text, object jsonb)
RETURNS SETOF workflow_track.map_fault
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known record;
	keys CONSTANT text[] := ARRAY(SELECT k.key FROM workflow_track.map_keys(part) AS k);
BEGIN
	IF jsonb_typeof(object) IS DISTINCT FROM 'object' THEN
		RETURN QUERY SELECT path, workflow_track.map_excerpt(object) || ' is not an object.', 'Use {"key": value}.';
		RETURN;
	END IF;

	-- A key misspelt is a rule not applied.
	RETURN QUERY SELECT workflow_track.map_path(path, k), 'There is no such key.',
		'The keys here are ' || array_to_string(keys, ', ') || '.'
	FROM jsonb_object_keys(object) AS k WHERE k <> ALL (keys);

	FOR known IN SELECT * FROM workflow_track.map_keys(part)
	LOOP
		IF object ? known.key THEN
			RETURN QUERY SELECT * FROM workflow_track.map_value_faults(document,
				workflow_track.map_path(path, known.key), known.form, object -> known.key);
		ELSIF known.required THEN
			RETURN QUERY SELECT workflow_track.map_path(path, known.key), 'This key is missing.', 'It has no default.';
		END IF;
	END LOOP;

	RETURN QUERY SELECT format('%s.different[%s]', path, d.n - 1), workflow_track.map_excerpt(d.element) || ' is in "same" too.',
		'No two entries are both equal and unequal in a column.'
	FROM jsonb_path_query(object, '$.different[*]') WITH ORDINALITY AS d(element, n)
	WHERE object -> 'same' ? (d.element #>> '{}');
END
$$;
COMMENT ON FUNCTION workflow_track.map_part_faults(jsonb, text, text, jsonb) IS
'the faults of a part of a document; the whole document is part "document" at $';
CREATE FUNCTION workflow_track.map_texts(value jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE jsonb_typeof(value)
		WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(value))
		WHEN 'string' THEN ARRAY[value #>> '{}']
	END
$$;
COMMENT ON FUNCTION workflow_track.map_texts(jsonb) IS
'a text or a list of texts of a document as an array, null if it is absent';

CREATE FUNCTION workflow_track.map_detail(detail jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_object_agg(d.key, CASE jsonb_typeof(d.value) WHEN 'array' THEN d.value ELSE jsonb_build_array(d.value) END)
	FROM jsonb_each(detail) AS d
$$;
COMMENT ON FUNCTION workflow_track.map_detail(jsonb) IS
'a condition on detail with a list for every key, null if it asks for nothing';

CREATE FUNCTION workflow_track.map_store_steps(document jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO workflow_track.workflow_step (workflow, version, position, step, kind, performed_by, systems,
		delivered_to, required_fields, optional, repeatable, starts, ends)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, s.n, s.step ->> 'step', s.step ->> 'kind',
		coalesce(workflow_track.map_texts(s.step -> 'performed_by'), '{}'),
		coalesce(workflow_track.map_texts(s.step -> 'in'), '{}'),
		coalesce(workflow_track.map_texts(s.step -> 'delivered_to'), '{}'),
		coalesce(workflow_track.map_texts(s.step -> 'required_fields'), '{}'),
		coalesce((s.step -> 'optional')::boolean, false), coalesce((s.step -> 'repeatable')::boolean, false),
		coalesce((s.step -> 'start')::boolean, false), coalesce((s.step -> 'end')::boolean, false)
	FROM jsonb_array_elements(document -> 'steps') WITH ORDINALITY AS s(step, n);

	INSERT INTO workflow_track.workflow_transition (workflow, version, position, from_step, to_step)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, t.n, t.transition ->> 0, t.transition ->> 1
	FROM jsonb_array_elements(document -> 'transitions') WITH ORDINALITY AS t(transition, n);
END
$$;
COMMENT ON FUNCTION workflow_track.map_store_steps(jsonb) IS 'stores the steps and transitions of a checked document';

CREATE FUNCTION workflow_track.map_store_rules(document jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO workflow_track.expectation (workflow, version, position, name, category, after, when_severity,
		when_facility, when_entry_method, when_code, when_detail, expect, by, correlated_by, within, early,
		cancelled_by, cancelled_by_correlation, escalate_to)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, e.n, e.rule ->> 'name', e.rule ->> 'category',
		workflow_track.map_texts(e.rule -> 'after'), workflow_track.map_texts(e.rule #> '{when,severity}'),
		workflow_track.map_texts(e.rule #> '{when,facility}'), workflow_track.map_texts(e.rule #> '{when,entry_method}'),
		workflow_track.map_code_prefix(e.rule #>> '{when,code}'), workflow_track.map_detail(e.rule #> '{when,detail}'),
		workflow_track.map_texts(e.rule -> 'expect'), coalesce(workflow_track.map_texts(e.rule -> 'by'), '{}'),
		e.rule ->> 'correlated_by', workflow_track.map_duration(e.rule ->> 'within'),
		coalesce(workflow_track.map_duration(e.rule ->> 'early'), '0'),
		ARRAY(SELECT coalesce(c ->> 'kind', c #>> '{}') FROM jsonb_array_elements(e.rule -> 'cancelled_by') AS c),
		ARRAY(SELECT coalesce(c ->> 'correlated_by', e.rule ->> 'correlated_by')
			FROM jsonb_array_elements(e.rule -> 'cancelled_by') AS c),
		e.rule ->> 'escalate_to'
	FROM jsonb_array_elements(document -> 'expectations') WITH ORDINALITY AS e(rule, n)
	ORDER BY e.n;

	INSERT INTO workflow_track.duplicate_rule (workflow, version, position, name, kind, same, different,
		when_severity, when_facility, when_entry_method, when_code, when_detail, within, action)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, d.n, d.rule ->> 'name', d.rule ->> 'kind',
		workflow_track.map_texts(d.rule -> 'same'), coalesce(workflow_track.map_texts(d.rule -> 'different'), '{}'),
		workflow_track.map_texts(d.rule #> '{when,severity}'), workflow_track.map_texts(d.rule #> '{when,facility}'),
		workflow_track.map_texts(d.rule #> '{when,entry_method}'), workflow_track.map_code_prefix(d.rule #>> '{when,code}'),
		workflow_track.map_detail(d.rule #> '{when,detail}'), workflow_track.map_duration(d.rule ->> 'within'),
		coalesce(d.rule ->> 'action', 'flag')
	FROM jsonb_array_elements(document -> 'duplicates') WITH ORDINALITY AS d(rule, n)
	ORDER BY d.n;

	INSERT INTO workflow_track.billing_rule (workflow, version, position, name, codes, documented_by,
		requires_authorization, requires_modifiers, within)
	SELECT document ->> 'workflow', (document ->> 'version')::integer, b.n, b.rule ->> 'name',
		workflow_track.map_code_prefix(b.rule ->> 'codes'), workflow_track.map_texts(b.rule -> 'documented_by'),
		coalesce((b.rule -> 'requires_authorization')::boolean, false),
		coalesce(workflow_track.map_texts(b.rule -> 'requires_modifiers'), '{}'), workflow_track.map_duration(b.rule ->> 'within')
	FROM jsonb_array_elements(document -> 'billing') WITH ORDINALITY AS b(rule, n)
	ORDER BY b.n;
END
$$;
COMMENT ON FUNCTION workflow_track.map_store_rules(jsonb) IS
'stores the expectations, duplicate rules and billing rules of a checked document';

CREATE FUNCTION workflow_track.define_workflow(document jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	named CONSTANT text COLLATE "C" := define_workflow.document ->> 'workflow';
	numbered integer;
	fault workflow_track.map_fault;
	stored record;
BEGIN
	FOR fault IN SELECT * FROM workflow_track.map_part_faults(define_workflow.document, '$', 'document', define_workflow.document)
	LOOP
		RAISE EXCEPTION 'invalid workflow document' USING
			ERRCODE = 'invalid_parameter_value', DETAIL = fault.path || ': ' || fault.problem, HINT = fault.hint;
	END LOOP;
	numbered := (define_workflow.document ->> 'version')::integer;

	-- One change of maps at a time.
	LOCK TABLE workflow_track.workflow IN SHARE ROW EXCLUSIVE MODE;
	SELECT w.state, w.document INTO stored
	FROM workflow_track.workflow AS w WHERE w.workflow = named AND w.version = numbered;
	IF stored.document = define_workflow.document THEN
		RETURN;
	ELSIF stored.state <> 'draft' THEN
		RAISE EXCEPTION 'workflow "%" version % already exists', named, numbered USING
			ERRCODE = 'unique_violation',
			DETAIL = format('It is %s with another document, and only a draft can be replaced.', stored.state),
			HINT = 'Define the next version, or change the state alone with workflow_track.set_workflow_state().';
	END IF;

	-- The version comes as a draft and changes its state last, when its rules are there.
	DELETE FROM workflow_track.workflow AS w WHERE w.workflow = named AND w.version = numbered;
	INSERT INTO workflow_track.workflow (workflow, version, state, document)
	VALUES (named, numbered, 'draft', define_workflow.document);
	PERFORM workflow_track.map_store_steps(define_workflow.document);
	PERFORM workflow_track.map_store_rules(define_workflow.document);
	PERFORM workflow_track.set_workflow_state(named, numbered, coalesce(define_workflow.document ->> 'state', 'draft'));
END
$$;
COMMENT ON FUNCTION workflow_track.define_workflow(jsonb) IS
'stores one version of a workflow map, whole or not at all; docs/map.md has its keys';

CREATE FUNCTION workflow_track.set_workflow_state(workflow text, version integer, state text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	named CONSTANT text COLLATE "C" := set_workflow_state.workflow;
	numbered CONSTANT integer := set_workflow_state.version;
	target_state CONSTANT text COLLATE "C" := set_workflow_state.state;
	old_state text;
BEGIN
	IF target_state IS NULL OR target_state <> ALL (workflow_track.map_words('state')) THEN
		RAISE EXCEPTION 'invalid workflow state: "%"', target_state USING
			ERRCODE = 'invalid_parameter_value', HINT = (workflow_track.map_form('state')).hint;
	END IF;

	LOCK TABLE workflow_track.workflow IN SHARE ROW EXCLUSIVE MODE;
	SELECT w.state INTO old_state
	FROM workflow_track.workflow AS w WHERE w.workflow = named AND w.version = numbered;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'workflow "%" version % does not exist', named, numbered USING
			ERRCODE = 'undefined_object', HINT = 'Table workflow_track.workflow lists the versions.';
	ELSIF old_state = target_state THEN
		RETURN;
	ELSIF target_state = 'draft' THEN
		RAISE EXCEPTION 'workflow "%" version % is no draft any more', named, numbered USING
			ERRCODE = 'object_not_in_prerequisite_state',
			DETAIL = format('It is %s. A draft can be replaced, but a version that was put to use is a record.', old_state),
			HINT = 'Define the next version.';
	END IF;

	IF target_state = 'current' THEN
		UPDATE workflow_track.workflow AS w
		SET state = 'retired', document = w.document || '{"state": "retired"}'
		WHERE w.workflow = named AND w.state = 'current';
	END IF;
	UPDATE workflow_track.workflow AS w
	SET state = target_state, document = w.document || jsonb_build_object('state', target_state)
	WHERE w.workflow = named AND w.version = numbered;
END
$$;
COMMENT ON FUNCTION workflow_track.set_workflow_state(text, integer, text) IS
'makes a version draft, future, current or retired; the version that was current before is then retired';

CREATE FUNCTION workflow_track.workflow_document(workflow text, version integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT w.document FROM workflow_track.workflow AS w
	WHERE w.workflow = workflow_document.workflow AND w.version = workflow_document.version
$$;
COMMENT ON FUNCTION workflow_track.workflow_document(text, integer) IS
'the document of a version as it was given, with its state of today; null if there is no such version';
CREATE FUNCTION workflow_track.default_workflow() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $map$
SELECT '{
 "workflow": "default", "version": 1, "state": "current",
 "expectations": [
  {"name": "critical result acknowledged", "category": "acknowledgement",
   "after": ["result.preliminary", "result.final", "result.corrected"], "when": {"severity": "critical"},
   "expect": ["result.acknowledged"], "correlated_by": "item", "within": "1 hour", "early": "2 minutes"},
  {"name": "abnormal result acknowledged", "category": "acknowledgement",
   "after": ["result.preliminary", "result.final", "result.corrected"], "when": {"severity": "abnormal"},
   "expect": ["result.acknowledged"], "correlated_by": "item", "within": "72 hours", "early": "2 minutes"},
  {"name": "normal or unflagged result acknowledged", "category": "acknowledgement",
   "after": ["result.preliminary", "result.final", "result.corrected"], "when": {"severity": ["normal", "unknown"]},
   "expect": ["result.acknowledged"], "correlated_by": "item", "within": "14 days", "early": "2 minutes"},
  {"name": "cancelled result acknowledged", "category": "acknowledgement",
   "after": ["result.cancelled"],
   "expect": ["result.acknowledged"], "correlated_by": "item", "within": "72 hours", "early": "2 minutes"},

  {"name": "patient told of an actionable result", "category": "notification",
   "after": ["result.final", "result.corrected"],
   "when": {"severity": ["abnormal", "critical"], "detail": {"patient_class": ["O", "E", "R", "P"]}},
   "expect": ["patient.notified"], "correlated_by": "item", "within": "7 days",
   "cancelled_by": [{"kind": "patient.died", "correlated_by": "patient"}]},

  {"name": "order resulted", "category": "order",
   "after": ["order.placed"],
   "expect": ["result.final", "result.corrected"], "correlated_by": "subject", "within": "3 days", "early": "1 day",
   "cancelled_by": ["order.cancelled", "order.replaced", "result.cancelled"]},

  {"name": "inpatient followed up after discharge", "category": "follow_up",
   "after": ["encounter.discharged"], "when": {"detail": {"patient_class": "I"}},
   "expect": ["followup.completed", "appointment.arrived"], "correlated_by": "patient", "within": "7 days",
   "cancelled_by": ["encounter.admitted", "patient.died"]},

  {"name": "referral accepted", "category": "referral",
   "after": ["referral.sent"],
   "expect": ["referral.accepted"], "correlated_by": "subject", "within": "3 days",
   "cancelled_by": ["referral.rejected", "referral.cancelled"]},
  {"name": "referred patient seen", "category": "referral",
   "after": ["referral.sent"],
   "expect": ["referral.seen"], "correlated_by": "subject", "within": "30 days",
   "cancelled_by": ["referral.rejected", "referral.cancelled"]},
  {"name": "referral report returned", "category": "referral",
   "after": ["referral.seen"],
   "expect": ["referral.report_returned"], "correlated_by": "subject", "within": "7 days"},
  {"name": "rejected referral sent again", "category": "referral",
   "after": ["referral.rejected"],
   "expect": ["referral.sent"], "correlated_by": "subject", "within": "3 days",
   "cancelled_by": ["referral.cancelled", "referral.closed"]},

  {"name": "handoff accepted", "category": "handoff",
   "after": ["handoff.offered"],
   "expect": ["handoff.accepted"], "correlated_by": "subject", "within": "30 minutes",
   "cancelled_by": ["handoff.rejected"]},
  {"name": "rejected handoff offered again", "category": "handoff",
   "after": ["handoff.rejected"],
   "expect": ["handoff.offered"], "correlated_by": "subject", "within": "30 minutes"},

  {"name": "claim answered", "category": "claim",
   "after": ["claim.submitted"],
   "expect": ["claim.accepted", "claim.denied", "claim.paid"], "correlated_by": "subject", "within": "30 days"}],
 "duplicates": [
  {"name": "same data typed into two systems", "kind": "data.entered",
   "same": ["code", "value"], "different": ["source_system"], "when": {"entry_method": "manual"},
   "within": "24 hours", "action": "flag"}]
}'::jsonb
$map$;
COMMENT ON FUNCTION workflow_track.default_workflow() IS
'the shipped map, for a site that has declared none: it names no roles and no billing rules, which differ from site to site';
CREATE FUNCTION workflow_track.event_recorded() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.event_recorded() IS
'trigger of event: checks what was recorded and notes its patient for detection at the end of the transaction';

CREATE FUNCTION workflow_track.event_unchangeable() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION USING
		ERRCODE = 'feature_not_supported',
		MESSAGE = pg_catalog.format('cannot %s events', lower(TG_OP)),
		DETAIL = 'Table workflow_track.event is append-only.',
		HINT = CASE TG_OP
			WHEN 'TRUNCATE' THEN 'Use workflow_track.drop_before() to drop old months.'
			ELSE 'Use workflow_track.retract_event() for an event that was entered in error, and record what is right as a new one.'
		END;
END
$$;
COMMENT ON FUNCTION workflow_track.event_unchangeable() IS
'trigger of event and its partitions: refuses UPDATE, DELETE and TRUNCATE';

CREATE FUNCTION workflow_track.record_event(
	kind text,
	patient_id text,
	source_system text,
	occurred_at timestamptz DEFAULT now(),
	source_sequence integer DEFAULT 0,
	time_precision workflow_track.time_precision DEFAULT 'second',
	planned_at timestamptz DEFAULT NULL,
	facility text DEFAULT '',
	encounter_id text DEFAULT NULL,
	subject text DEFAULT NULL,
	item text DEFAULT NULL,
	code workflow_track.clinical_code DEFAULT NULL,
	value text DEFAULT NULL,
	severity workflow_track.severity DEFAULT NULL,
	actor text DEFAULT NULL,
	actor_role text DEFAULT NULL,
	recipient text DEFAULT NULL,
	recipient_role text DEFAULT NULL,
	entry_method workflow_track.entry_method DEFAULT NULL,
	message_id bigint DEFAULT NULL,
	detail jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	new_id bigint;
BEGIN
	IF record_event.occurred_at >= workflow_track.recordable_until() THEN
		PERFORM workflow_track.make_recordable(record_event.occurred_at);
	END IF;
	INSERT INTO workflow_track.event (
		occurred_at, source_sequence, time_precision, planned_at, facility, patient_id,
		encounter_id, subject, item, kind, code, value, severity, actor, actor_role,
		recipient, recipient_role, source_system, entry_method, message_id, detail)
	VALUES (
		record_event.occurred_at, record_event.source_sequence, record_event.time_precision,
		record_event.planned_at, btrim(record_event.facility), btrim(record_event.patient_id),
		btrim(record_event.encounter_id), btrim(record_event.subject), btrim(record_event.item),
		btrim(record_event.kind), record_event.code, record_event.value, record_event.severity,
		btrim(record_event.actor), btrim(record_event.actor_role), btrim(record_event.recipient),
		btrim(record_event.recipient_role), btrim(record_event.source_system),
		record_event.entry_method, record_event.message_id, record_event.detail)
	RETURNING event_id INTO new_id;
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION workflow_track.record_event(text, text, text, timestamptz, integer,
	workflow_track.time_precision, timestamptz, text, text, text, text, workflow_track.clinical_code,
	text, workflow_track.severity, text, text, text, text, workflow_track.entry_method, bigint, jsonb) IS
'records one event and returns its event_id; arguments are columns of event, to be given by name; outer blanks of identifiers are removed';

CREATE FUNCTION workflow_track.retract_event(event_id bigint, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	IF btrim(retract_event.reason) IS NULL OR btrim(retract_event.reason) = '' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'a retraction needs a reason';
	END IF;
	IF EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = retract_event.event_id) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = pg_catalog.format('event %s is already retracted', retract_event.event_id);
	END IF;
	INSERT INTO workflow_track.retraction (patient_id, event_id, occurred_at, retracted_reason, retracted_by)
	SELECT e.patient_id, e.event_id, e.occurred_at, retract_event.reason, session_user
	FROM workflow_track.event e WHERE e.event_id = retract_event.event_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'no_data_found',
			MESSAGE = pg_catalog.format('event %s does not exist', retract_event.event_id);
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.retract_event(bigint, text) IS
'marks an event as entered in error: every report is then as if it had never been recorded';

-- Partitions: a month each, in UTC, and one for all before the first month.

CREATE FUNCTION workflow_track.months()
RETURNS TABLE (partition_name name, lower_bound timestamptz, upper_bound timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
	SELECT c.relname,
		substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''([^'']*)''\)')::timestamptz,
		substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']*)''\)')::timestamptz
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = to_regclass('workflow_track.event')
	ORDER BY 3;
$$;
COMMENT ON FUNCTION workflow_track.months() IS
'the partitions of event in order of time; the first has no lower bound';

CREATE FUNCTION workflow_track.recordable_until() RETURNS timestamptz
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.recordable_until() IS
'where the last month of event ends: no later event can be recorded';

CREATE FUNCTION workflow_track.month_name(month timestamptz) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
	SELECT ('event_' || to_char(month, 'YYYY_MM'))::name
$$;
COMMENT ON FUNCTION workflow_track.month_name(timestamptz) IS
'the name of the partition of event for the month, in UTC, of an instant';

-- The check lets ATTACH do without reading the table, and without a lock that stops readers.
CREATE FUNCTION workflow_track.create_month(month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	lower_bound timestamptz := date_trunc('month', month);
BEGIN
	EXECUTE format('CREATE TABLE workflow_track.%I (LIKE workflow_track.event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS, '
		'CONSTRAINT month CHECK (occurred_at >= %L AND occurred_at < %L))',
		workflow_track.month_name(month), lower_bound, lower_bound + interval '1 month');
	EXECUTE format('COMMENT ON TABLE workflow_track.%I IS %L',
		workflow_track.month_name(month), 'events of ' || to_char(lower_bound, 'YYYY-MM') || ' UTC');
END
$$;
COMMENT ON FUNCTION workflow_track.create_month(timestamptz) IS
'first part of make_month(): a table that attach_month() can make a partition of event';

CREATE FUNCTION workflow_track.attach_month(month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	lower_bound timestamptz := date_trunc('month', month);
	new_name name := workflow_track.month_name(month);
BEGIN
	EXECUTE format('ALTER TABLE workflow_track.event ATTACH PARTITION workflow_track.%I FOR VALUES FROM (%L) TO (%L)',
		new_name, lower_bound, lower_bound + interval '1 month');
	EXECUTE format('ALTER TABLE workflow_track.%I DROP CONSTRAINT month', new_name);
	PERFORM workflow_track.guard_partition(new_name);
END
$$;
COMMENT ON FUNCTION workflow_track.attach_month(timestamptz) IS
'second part of make_month(): makes the table of a month a partition of event, with what is in it';

CREATE FUNCTION workflow_track.make_month(month timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF EXISTS (SELECT FROM workflow_track.months() m WHERE m.partition_name = workflow_track.month_name(month)) THEN
		RETURN;
	END IF;
	PERFORM workflow_track.create_month(month);
	PERFORM workflow_track.attach_month(month);
END
$$;
COMMENT ON FUNCTION workflow_track.make_month(timestamptz) IS
'makes the partition of event for the month, in UTC, of an instant; it must not overlap another';

CREATE FUNCTION workflow_track.guard_partition(partition_name name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	EXECUTE format('CREATE TRIGGER event_unchangeable BEFORE UPDATE OR DELETE OR TRUNCATE ON workflow_track.%I '
		'EXECUTE FUNCTION workflow_track.event_unchangeable()', partition_name);
END
$$;
COMMENT ON FUNCTION workflow_track.guard_partition(name) IS
'makes a partition of event append-only for those who reach it by its own name';

CREATE FUNCTION workflow_track.split_first_partition(month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	old_bound timestamptz := (SELECT min(m.upper_bound) FROM workflow_track.months() m);
	new_bound timestamptz := date_trunc('month', month);
BEGIN
	LOCK TABLE workflow_track.event IN ACCESS EXCLUSIVE MODE;
	ALTER TABLE workflow_track.event DETACH PARTITION workflow_track.event_before;
	ALTER TABLE workflow_track.event_before DISABLE TRIGGER USER;
	FOR month IN SELECT generate_series(new_bound, old_bound - interval '1 month', interval '1 month') LOOP
		-- Rows go in before the table is a partition, whose triggers would take them for new ones.
		PERFORM workflow_track.create_month(month);
		EXECUTE format('WITH moved AS (DELETE FROM workflow_track.event_before WHERE occurred_at >= %L AND occurred_at < %L RETURNING *) '
			'INSERT INTO workflow_track.%I SELECT * FROM moved',
			month, month + interval '1 month', workflow_track.month_name(month));
		PERFORM workflow_track.attach_month(month);
	END LOOP;
	ALTER TABLE workflow_track.event_before ENABLE TRIGGER USER;
	EXECUTE format('ALTER TABLE workflow_track.event ATTACH PARTITION workflow_track.event_before FOR VALUES FROM (MINVALUE) TO (%L)', new_bound);
END
$$;
COMMENT ON FUNCTION workflow_track.split_first_partition(timestamptz) IS
'makes months of what the partition before the first month holds, from a month on';

CREATE FUNCTION workflow_track.drop_months(until timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	first_bound timestamptz := (SELECT min(m.upper_bound) FROM workflow_track.months() m);
	month record;
BEGIN
	ALTER TABLE workflow_track.event_before DISABLE TRIGGER event_unchangeable;
	IF until < first_bound THEN
		DELETE FROM workflow_track.event_before WHERE occurred_at < until;
	ELSE
		TRUNCATE workflow_track.event_before;
	END IF;
	ALTER TABLE workflow_track.event_before ENABLE TRIGGER event_unchangeable;
	IF until <= first_bound THEN
		RETURN;
	END IF;
	-- The first partition takes the place of the months, so that there is no gap.
	ALTER TABLE workflow_track.event DETACH PARTITION workflow_track.event_before;
	FOR month IN SELECT * FROM workflow_track.months() m WHERE m.upper_bound <= until LOOP
		EXECUTE format('DROP TABLE workflow_track.%I', month.partition_name);
	END LOOP;
	EXECUTE format('ALTER TABLE workflow_track.event ATTACH PARTITION workflow_track.event_before FOR VALUES FROM (MINVALUE) TO (%L)', until);
END
$$;
COMMENT ON FUNCTION workflow_track.drop_months(timestamptz) IS
'drops the months of event until the start of one, and what is in the partition before the first month';

CREATE FUNCTION workflow_track.ensure_partitions("from" timestamptz, until timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	first_bound timestamptz;
	last_bound timestamptz := workflow_track.recordable_until();
BEGIN
	IF "from" IS NULL OR until IS NULL OR until < "from" OR NOT isfinite("from") OR NOT isfinite(until) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'months to be made need a first and a last moment, in order';
	END IF;
	IF until - "from" > interval '1800 months' OR until > now() + interval '50 years' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'too many months to be made',
			HINT = 'Events from 1900 until 2 days from now can be recorded.';
	END IF;
	FOR last_bound IN SELECT generate_series(last_bound, until, interval '1 month') LOOP
		PERFORM workflow_track.make_month(last_bound);
	END LOOP;
	first_bound := (SELECT min(m.upper_bound) FROM workflow_track.months() m);
	IF date_trunc('month', "from") < first_bound THEN
		PERFORM workflow_track.split_first_partition("from");
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.ensure_partitions(timestamptz, timestamptz) IS
'makes the months of event from one moment until another, for a backfill; months before the first stop readers and writers for a moment, later ones do not';

CREATE FUNCTION workflow_track.make_recordable(occurred_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- Later times have no month; the error is that of times which have one.
	IF occurred_at > now() + interval '2 days' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'datetime_field_overflow',
			MESSAGE = 'occurred_at of an event is out of range',
			DETAIL = 'It is before 1900 or more than 2 days from now.',
			HINT = 'occurred_at is when the event happened; what is meant to happen later goes into planned_at.';
	END IF;
	IF occurred_at < workflow_track.recordable_until() THEN
		RETURN;
	END IF;
	LOCK TABLE workflow_track.patient_merge IN SHARE ROW EXCLUSIVE MODE;
	-- Whoever held the lock may have made it.
	IF occurred_at >= workflow_track.recordable_until() THEN
		PERFORM workflow_track.ensure_partitions(workflow_track.recordable_until(), occurred_at);
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.make_recordable(timestamptz) IS
'makes the month of an event that is about to be recorded, where maintain() has not run for long';
CREATE FUNCTION workflow_track.patient_touched() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.patient_touched() IS
'trigger of tables of links: notes the patient for detection at the end of the transaction';

CREATE FUNCTION workflow_track.reference_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.reference_changed() IS
'trigger of the map and staff: makes every session read them anew';

CREATE FUNCTION workflow_track.touch_patients(patient_ids text[], first_at timestamptz[], linked boolean[])
RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.touch_patients(text[], timestamptz[], boolean[]) IS
'notes patients to be evaluated when the transaction ends';

CREATE FUNCTION workflow_track.detect_now(rebase boolean) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.detect_now(boolean) IS
'evaluates the patients noted so far, before the transaction ends; rebase leaves the rollups as they are';

CREATE FUNCTION workflow_track.wait_for_detection() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.wait_for_detection() IS
'returns when every session that detects now has committed';

CREATE FUNCTION workflow_track.exclude_detection() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.exclude_detection() IS
'likewise, and keeps every session from detecting until the transaction ends';

CREATE FUNCTION workflow_track.try_exclude_detection() RETURNS boolean
LANGUAGE c AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.try_exclude_detection() IS
'likewise if no session detects now; else false';

CREATE FUNCTION workflow_track.nothing_is_recorded() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- A transaction that may have begun before the first patients came cannot tell.
	IF current_setting('transaction_isolation') <> 'read committed'
		OR EXISTS (SELECT FROM workflow_track.patient_state)
		OR NOT workflow_track.try_exclude_detection() THEN
		RETURN false;
	END IF;
	RETURN NOT EXISTS (SELECT FROM workflow_track.patient_state);
END
$$;
COMMENT ON FUNCTION workflow_track.nothing_is_recorded() IS
'whether there is no patient yet, and none will be before the transaction ends';

CREATE FUNCTION workflow_track.mark_stale() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF workflow_track.nothing_is_recorded() THEN
		RETURN NULL;
	END IF;
	IF TG_OP = 'TRUNCATE' THEN
		INSERT INTO workflow_track.stale_mark (what, name) VALUES ('everything', '') ON CONFLICT DO NOTHING;
	ELSIF TG_LEVEL = 'ROW' THEN
		EXECUTE format('INSERT INTO workflow_track.stale_mark (what, name) '
			'SELECT DISTINCT %1$L, c.%2$I FROM (SELECT ($1::%3$s).* UNION ALL SELECT ($2::%3$s).*) c WHERE c.%2$I IS NOT NULL AND %4$s ON CONFLICT DO NOTHING',
			TG_ARGV[0], TG_ARGV[0], TG_RELID::regclass, replace(TG_ARGV[1], 'ROW', 'c')) USING OLD, NEW;
	ELSIF TG_OP = 'INSERT' THEN
		EXECUTE format('INSERT INTO workflow_track.stale_mark (what, name) SELECT DISTINCT %L, n.%I FROM new_rows n WHERE %s ON CONFLICT DO NOTHING',
			TG_ARGV[0], TG_ARGV[0], replace(TG_ARGV[1], 'ROW', 'n'));
	ELSIF TG_OP = 'DELETE' THEN
		EXECUTE format('INSERT INTO workflow_track.stale_mark (what, name) SELECT DISTINCT %L, o.%I FROM old_rows o WHERE %s ON CONFLICT DO NOTHING',
			TG_ARGV[0], TG_ARGV[0], replace(TG_ARGV[1], 'ROW', 'o'));
	ELSE
		EXECUTE format('INSERT INTO workflow_track.stale_mark (what, name) '
			'SELECT %1$L, n.%2$I FROM new_rows n WHERE %3$s UNION SELECT %1$L, o.%2$I FROM old_rows o WHERE %4$s ON CONFLICT DO NOTHING',
			TG_ARGV[0], TG_ARGV[0], replace(TG_ARGV[1], 'ROW', 'n'), replace(TG_ARGV[1], 'ROW', 'o'));
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION workflow_track.mark_stale() IS
'trigger of the map and staff: notes for catch_up() which actors, workflows or kinds changed';

CREATE FUNCTION workflow_track.refuse_while_paused() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF (SELECT paused FROM workflow_track.detection_state) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'detection is paused',
			HINT = 'Run SELECT workflow_track.resume_detection() first.';
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.refuse_while_paused() IS 'raises an error while detection is paused';

CREATE FUNCTION workflow_track.touch_stale(batch integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	ids text[];
	times timestamptz[];
	links boolean[];
BEGIN
	PERFORM workflow_track.refuse_while_paused();
	SELECT array_agg(s.patient_id), array_agg(s.first_at), array_agg(
			EXISTS (SELECT FROM workflow_track.patient_merge m WHERE m.patient_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.patient_merge m WHERE m.merged_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.encounter_merge m WHERE m.patient_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.subject_alias a WHERE a.patient_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.retraction r WHERE r.patient_id = s.patient_id)
			OR EXISTS (SELECT FROM workflow_track.test_patient t WHERE t.patient_id = s.patient_id))
		INTO ids, times, links
		FROM (SELECT * FROM workflow_track.stale_patient ORDER BY patient_id LIMIT batch) s;
	IF ids IS NULL THEN
		RETURN false;
	END IF;
	PERFORM workflow_track.touch_patients(ids, times, links);
	RETURN true;
END
$$;
COMMENT ON FUNCTION workflow_track.touch_stale(integer) IS
'notes some stale patients to be evaluated when the transaction ends; false when none is stale';

CREATE FUNCTION workflow_track.resolve_stale_marks() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	all_of_it boolean;
	workflows text[];
	actors text[];
	kinds text[];
BEGIN
	-- No change is between its commit and its mark; and whoever detects by what was before commits first.
	LOCK TABLE workflow_track.stale_mark IN SHARE ROW EXCLUSIVE MODE;
	WITH marks AS (DELETE FROM workflow_track.stale_mark RETURNING what, name)
	SELECT coalesce(bool_or(what = 'everything'), false),
		coalesce(array_agg(name) FILTER (WHERE what = 'workflow'), '{}'),
		coalesce(array_agg(name) FILTER (WHERE what = 'actor'), '{}'),
		coalesce(array_agg(name) FILTER (WHERE what = 'kind'), '{}')
		INTO all_of_it, workflows, actors, kinds FROM marks;
	PERFORM workflow_track.wait_for_detection();
	IF all_of_it THEN
		INSERT INTO workflow_track.stale_patient (patient_id)
			SELECT patient_id FROM workflow_track.patient_state ON CONFLICT DO NOTHING;
		RETURN;
	END IF;
	-- Of any version: what an earlier one found may have to go.
	kinds := kinds || ARRAY(
		SELECT DISTINCT k FROM workflow_track.expectation x, unnest(x.after || x.expect || x.cancelled_by) k
			WHERE x.workflow = ANY (workflows)
		UNION SELECT d.kind FROM workflow_track.duplicate_rule d WHERE d.workflow = ANY (workflows)
		UNION SELECT s.kind FROM workflow_track.workflow_step s
			WHERE s.workflow = ANY (workflows) AND cardinality(s.delivered_to) > 0);
	IF cardinality(kinds) + cardinality(actors) > 0 THEN
		INSERT INTO workflow_track.stale_patient (patient_id)
			SELECT DISTINCT e.patient_id FROM workflow_track.event e
			WHERE e.kind = ANY (kinds) OR e.actor = ANY (actors) OR e.recipient = ANY (actors)
			ON CONFLICT DO NOTHING;
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.resolve_stale_marks() IS
'turns changes of the map and of staff into the stale patients that they touch';

CREATE PROCEDURE workflow_track.catch_up(batch integer DEFAULT 500)
LANGUAGE plpgsql AS $$
BEGIN
	IF batch IS NULL OR batch OPERATOR(pg_catalog.<) 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'batch must be at least 1';
	END IF;
	PERFORM workflow_track.refuse_while_paused();
	PERFORM workflow_track.resolve_stale_marks();
	COMMIT;
	WHILE workflow_track.touch_stale(batch) LOOP
		COMMIT;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE workflow_track.catch_up(integer) IS
'evaluates again what changes of the map, of staff, or a pause left stale, a batch of patients a transaction';

CREATE FUNCTION workflow_track.empty_handoffs() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	horizon timestamptz := coalesce((SELECT d.horizon FROM workflow_track.detection_state d), '-infinity');
BEGIN
	-- Who detects takes locks on these tables in whatever order.
	PERFORM workflow_track.exclude_detection();
	LOCK TABLE workflow_track.handoff_hourly, workflow_track.handoff_total IN SHARE ROW EXCLUSIVE MODE;
	TRUNCATE workflow_track.handoff_state, workflow_track.handoff_delta, workflow_track.handoff_stale, workflow_track.handoff_total;
	DELETE FROM workflow_track.handoff_hourly WHERE hour >= horizon;
	INSERT INTO workflow_track.handoff_total (is_test, basis, facility, from_role, to_role, from_system, to_system, histogram)
		SELECT is_test, basis, facility, from_role, to_role, from_system, to_system, workflow_track.merge(histogram)
		FROM workflow_track.handoff_hourly GROUP BY 1, 2, 3, 4, 5, 6, 7;
END
$$;
COMMENT ON FUNCTION workflow_track.empty_handoffs() IS
'first part of rebuild(): empties the rollups of handoffs from the horizon of retention on';

CREATE FUNCTION workflow_track.begin_rebuild() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO workflow_track.patient_merge (patient_id, merged_id, event_id)
		SELECT patient_id, subject, event_id FROM workflow_track.event
		WHERE kind = 'patient.merged' AND btrim(subject) <> '' AND subject <> patient_id
		ON CONFLICT DO NOTHING;
	INSERT INTO workflow_track.encounter_merge (patient_id, encounter_id, merged_id, event_id)
		SELECT patient_id, encounter_id, subject, event_id FROM workflow_track.event
		WHERE kind = 'encounter.merged' AND subject IS NOT NULL AND encounter_id IS NOT NULL
		ON CONFLICT DO NOTHING;
	LOCK TABLE workflow_track.stale_mark IN SHARE ROW EXCLUSIVE MODE;
	DELETE FROM workflow_track.stale_mark;
	PERFORM workflow_track.wait_for_detection();
	INSERT INTO workflow_track.stale_patient (patient_id, first_at)
		SELECT patient_id, min(first_at) FROM (
			SELECT patient_id, min(occurred_at) AS first_at FROM workflow_track.event GROUP BY patient_id
			UNION ALL SELECT patient_id, NULL FROM workflow_track.patient_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.loop_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.duplicate_state
			UNION ALL SELECT DISTINCT patient_id, NULL::timestamptz FROM workflow_track.misrouted_state) known
		GROUP BY patient_id
		ON CONFLICT (patient_id) DO UPDATE SET first_at = excluded.first_at;
END
$$;
COMMENT ON FUNCTION workflow_track.begin_rebuild() IS
'second part of rebuild(): marks every patient as stale';

CREATE PROCEDURE workflow_track.rebuild(batch integer DEFAULT 500)
LANGUAGE plpgsql AS $$
BEGIN
	IF batch IS NULL OR batch OPERATOR(pg_catalog.<) 1 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'batch must be at least 1';
	END IF;
	PERFORM workflow_track.refuse_while_paused();
	PERFORM workflow_track.empty_handoffs();
	COMMIT;
	PERFORM workflow_track.begin_rebuild();
	COMMIT;
	CALL workflow_track.catch_up(batch);
	PERFORM workflow_track.fold_handoffs();
END
$$;
COMMENT ON PROCEDURE workflow_track.rebuild(integer) IS
'evaluates every patient from nothing, a batch a transaction; the fast way after a backfill';

CREATE FUNCTION workflow_track.pause_detection() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	LOCK TABLE workflow_track.stale_patient IN EXCLUSIVE MODE;
	UPDATE workflow_track.detection_state SET paused = true, since = now() WHERE NOT paused;
END
$$;
COMMENT ON FUNCTION workflow_track.pause_detection() IS
'stops detection for a backfill: patients recorded meanwhile are marked as stale; shown in health';

CREATE FUNCTION workflow_track.resume_detection() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE workflow_track.detection_state SET paused = false, since = now() WHERE paused;
END
$$;
COMMENT ON FUNCTION workflow_track.resume_detection() IS
'ends a pause; CALL catch_up() or rebuild() then evaluates what was recorded meanwhile';

CREATE FUNCTION workflow_track.every_unfolded_handoff(by_hour boolean)
RETURNS TABLE (hour timestamptz, is_test boolean, basis text, facility text, from_role text, to_role text,
	from_system text, to_system text, histogram workflow_track.latency_histogram)
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.every_unfolded_handoff(boolean) IS
'what the rollups of handoffs do not hold yet, by group, or by hour and group';

CREATE FUNCTION workflow_track.fold_handoffs() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	folded bigint;
BEGIN
	LOCK TABLE workflow_track.handoff_hourly, workflow_track.handoff_total IN SHARE ROW EXCLUSIVE MODE;
	WITH folded_rows AS (DELETE FROM workflow_track.handoff_delta RETURNING 1),
	hourly AS MATERIALIZED (SELECT * FROM workflow_track.every_unfolded_handoff(true)),
	write_hourly AS (
		INSERT INTO workflow_track.handoff_hourly AS h (hour, is_test, basis, facility, from_role, to_role, from_system, to_system, histogram)
			SELECT * FROM hourly
		ON CONFLICT (hour, is_test, basis, facility, from_role, to_role, from_system, to_system)
			DO UPDATE SET histogram = h.histogram OPERATOR(workflow_track.+) excluded.histogram),
	write_total AS (
		INSERT INTO workflow_track.handoff_total AS t (is_test, basis, facility, from_role, to_role, from_system, to_system, histogram)
			SELECT is_test, basis, facility, from_role, to_role, from_system, to_system, workflow_track.merge(histogram)
			FROM hourly GROUP BY 1, 2, 3, 4, 5, 6, 7
		ON CONFLICT (is_test, basis, facility, from_role, to_role, from_system, to_system)
			DO UPDATE SET histogram = t.histogram OPERATOR(workflow_track.+) excluded.histogram)
	SELECT count(*) INTO folded FROM folded_rows;
	RETURN folded;
END
$$;
COMMENT ON FUNCTION workflow_track.fold_handoffs() IS
'adds the deltas of handoffs to their rollups; returns how many there were';

CREATE FUNCTION workflow_track.maintain() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM workflow_track.ensure_partitions(now(), now() + interval '24 months');
	-- Not more at a time, as their patients stay locked until the end.
	PERFORM workflow_track.touch_patients(array_agg(s.patient_id), array_agg(NULL::timestamptz), array_agg(false))
		FROM (SELECT patient_id FROM workflow_track.handoff_stale LIMIT 5000) s HAVING count(*) > 0;
	PERFORM workflow_track.detect_now(false);
	PERFORM workflow_track.fold_handoffs();
	-- Autovacuum never analyzes a partitioned table.
	IF NOT EXISTS (SELECT FROM pg_stat_all_tables t
			WHERE t.schemaname = 'workflow_track' AND t.relname = 'event' AND t.last_analyze > now() - interval '1 day') THEN
		ANALYZE workflow_track.event;
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.maintain() IS
'makes the months of the next 24, brings rollups up to date and analyzes event once a day; to be run every hour';

CREATE FUNCTION workflow_track.drop_before(horizon timestamptz, force boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	month_start timestamptz := date_trunc('month', horizon);
	unsettled bigint;
	touched record;
BEGIN
	IF horizon IS NULL OR horizon > now() THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the horizon of retention must be in the past';
	END IF;
	PERFORM workflow_track.refuse_while_paused();
	LOCK TABLE workflow_track.event IN ACCESS EXCLUSIVE MODE;
	IF NOT force AND (EXISTS (SELECT FROM workflow_track.stale_patient) OR EXISTS (SELECT FROM workflow_track.stale_mark)) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'it is not known which loops are open, as patients are stale',
			HINT = 'Run CALL workflow_track.catch_up() first; force drops what was not evaluated too.';
	END IF;
	-- What the rollups are still to get must not go with the months, nor with the new contributions.
	PERFORM workflow_track.touch_patients(array_agg(s.patient_id), array_agg(NULL::timestamptz), array_agg(false))
		FROM workflow_track.handoff_stale s HAVING count(*) > 0;
	PERFORM workflow_track.detect_now(false);
	SELECT count(*) INTO unsettled FROM workflow_track.loop_state l
		WHERE l.opened_at < month_start AND l.settled_at > now();
	IF unsettled > 0 AND NOT force THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('%s loops that were opened before %s are open or overdue', unsettled, month_start),
			HINT = 'View workflow_track.overdue_loop shows the overdue ones; force drops them with their events.';
	END IF;
	SELECT array_agg(s.patient_id) AS ids, array_agg('infinity'::timestamptz) AS times, array_agg(s.linked) AS links
		INTO touched FROM workflow_track.patient_state s WHERE s.first_at < month_start;
	PERFORM workflow_track.drop_months(month_start);
	DELETE FROM workflow_track.loop_state WHERE opened_at < month_start;
	DELETE FROM workflow_track.duplicate_state WHERE duplicate_at < month_start;
	DELETE FROM workflow_track.misrouted_state WHERE occurred_at < month_start;
	UPDATE workflow_track.detection_state d SET horizon = greatest(d.horizon, month_start);
	IF touched.ids IS NOT NULL THEN
		PERFORM workflow_track.touch_patients(touched.ids, touched.times, touched.links);
		PERFORM workflow_track.detect_now(true);
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.drop_before(timestamptz, boolean) IS
'drops the whole months before a moment with what was found in them; refuses while loops of theirs are open or overdue, unless forced; rollups stay';
CREATE FUNCTION workflow_track.sees_all_facilities() RETURNS boolean
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.sees_all_facilities() IS
'whether facility_access gives the current user every facility';

CREATE FUNCTION workflow_track.visible_facilities() RETURNS text[]
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.visible_facilities() IS
'the facilities that facility_access gives the current user';

CREATE FUNCTION workflow_track.test_patients_shown() RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.test_patients_shown() IS
'whether reports show test patients: the setting workflow_track.test_patients';

CREATE FUNCTION workflow_track.is_active_actor(actor text, at timestamptz) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.is_active_actor(text, timestamptz) IS
'whether staff has a row of the actor that is in force at a moment';

CREATE FUNCTION workflow_track.patient_handoffs(patient_id text)
RETURNS TABLE (basis text, facility text, handoff_patient_id text, encounter_id text, from_event_id bigint,
	to_event_id bigint, from_kind text, to_kind text, from_actor text, to_actor text, from_role text,
	to_role text, from_system text, to_system text, released_at timestamptz, taken_at timestamptz,
	latency interval, subject text)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 60 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.patient_handoffs(text) IS
'the handoffs that were taken under a patient id, of facilities that the caller sees; view handoff shows them';

CREATE FUNCTION workflow_track.unfolded_handoffs(by_hour boolean)
RETURNS TABLE (hour timestamptz, is_test boolean, basis text, facility text, from_role text, to_role text,
	from_system text, to_system text, histogram workflow_track.latency_histogram)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.unfolded_handoffs(boolean) IS
'what the rollups of handoffs do not hold yet of facilities that the caller sees, by group, or by hour and group';

CREATE FUNCTION workflow_track.coverage_counts(as_of timestamptz)
RETURNS TABLE (expectation_id integer, facility text, openers bigint, closers bigint, unmatched_closers bigint)
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.coverage_counts(timestamptz) IS
'how often each expectation was opened and closed up to a moment, in facilities that the caller sees; reads every event';

-- A report as a view of now, and as a function of any moment, from one text.
CREATE FUNCTION workflow_track.make_report(report name, query text, description text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE VIEW workflow_track.%I AS %s', report, replace(query, ':as_of', 'now()'));
	EXECUTE format('COMMENT ON VIEW workflow_track.%I IS %L', report, description);
	EXECUTE format('CREATE OR REPLACE FUNCTION workflow_track.%I(as_of timestamptz) RETURNS SETOF workflow_track.%I '
		'LANGUAGE sql STABLE ROWS 1000 BEGIN ATOMIC %s; END',
		report || '_at', report,
		-- Infinity settles nothing that is not settled.
		replace(query, ':as_of', format('(CASE WHEN %1$I.as_of = ''infinity'' THEN ''294276-01-01 00:00:00+00''::timestamptz ELSE %1$I.as_of END)', report || '_at')));
	EXECUTE format('COMMENT ON FUNCTION workflow_track.%I(timestamptz) IS %L',
		report || '_at', format('view %s as it was, or will be, at a moment', report));
	EXECUTE format('REVOKE ALL ON FUNCTION workflow_track.%I(timestamptz) FROM PUBLIC', report || '_at');
	EXECUTE format('GRANT EXECUTE ON FUNCTION workflow_track.%I(timestamptz) TO workflow_track_admin, workflow_track_analyst', report || '_at');
	EXECUTE format('GRANT SELECT ON workflow_track.%I TO workflow_track_admin, workflow_track_analyst', report);
END
$$;
COMMENT ON FUNCTION workflow_track.make_report(name, text, text) IS
'part of setup(): a view and its function X_at from one query, where :as_of stands for the moment asked about';

-- Comments on the columns of a view: pairs of names and texts.
CREATE FUNCTION workflow_track.comment_columns(relation name, VARIADIC comments text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	FOR i IN 1 .. cardinality(comments) BY 2 LOOP
		EXECUTE format('COMMENT ON COLUMN workflow_track.%I.%I IS %L', relation, comments[i], comments[i + 1]);
	END LOOP;
END
$$;
COMMENT ON FUNCTION workflow_track.comment_columns(name, text[]) IS
'part of setup(): comments on columns, as pairs of a name and a text';
CREATE FUNCTION workflow_track.setup_event_kind() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.event_kind (
		kind text COLLATE "C" PRIMARY KEY CHECK (kind ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$'),
		category text COLLATE "C" NOT NULL CHECK (category <> ''),
		counts_as_work boolean NOT NULL DEFAULT true,
		description text COLLATE "C"
	);
	COMMENT ON TABLE workflow_track.event_kind IS 'the kinds of events that can be recorded; sites add rows';
	COMMENT ON COLUMN workflow_track.event_kind.kind IS 'the name, object.past_participle in lower case';
	COMMENT ON COLUMN workflow_track.event_kind.category IS 'what it is about; of a shipped kind the part before the dot';
	COMMENT ON COLUMN workflow_track.event_kind.counts_as_work IS 'whether it is work on the patient: thread and implied handoffs are told from such events';
	COMMENT ON COLUMN workflow_track.event_kind.description IS 'what happened, in a line';

	-- A site's own wording and flags stay.
	INSERT INTO workflow_track.event_kind (kind, category, counts_as_work, description)
	SELECT k.kind, split_part(k.kind, '.', 1),
		k.kind NOT LIKE 'handoff.%' AND k.kind NOT IN ('alert.fired', 'screen.used', 'patient.merged',
			'patient.updated', 'encounter.merged', 'result.released', 'task.created'),
		k.description
	FROM (VALUES
		('appointment.booked', 'an appointment was made'),
		('appointment.rescheduled', 'an appointment was moved to another time'),
		('appointment.modified', 'something of an appointment other than its time was changed'),
		('appointment.cancelled', 'an appointment was called off'),
		('appointment.arrived', 'the patient came to an appointment'),
		('appointment.no_show', 'the patient did not come to an appointment'),
		('eligibility.verified', 'the insurer confirmed that the patient is covered'),
		('consent.signed', 'the patient consented in writing'),
		('patient.registered', 'a patient was entered for the first time'),
		('patient.updated', 'a patient''s personal data were changed'),
		('patient.merged', 'two ids were found to be one patient; the subject is the losing id'),
		('patient.notified', 'the patient was told of a result or a decision'),
		('patient.died', 'the patient died'),
		('encounter.registered', 'a visit without admission began'),
		('encounter.preadmitted', 'an admission was prepared'),
		('encounter.admitted', 'the patient was admitted'),
		('encounter.transferred', 'the patient was moved to another unit or bed'),
		('encounter.discharged', 'the patient was discharged or the visit ended'),
		('encounter.cancelled', 'a visit was called off'),
		('encounter.merged', 'two visit numbers were found to be one visit; the subject is the old number'),
		('intake.completed', 'the intake questions were answered'),
		('vitals.recorded', 'vital signs were measured'),
		('history.recorded', 'the medical history was taken'),
		('assessment.documented', 'an assessment was written down'),
		('diagnosis.documented', 'a diagnosis was written down'),
		('procedure.documented', 'a procedure was written down'),
		('note.signed', 'a clinical note was signed'),
		('order.placed', 'a test, treatment or service was ordered'),
		('order.accepted', 'the department that fills an order took it on'),
		('order.modified', 'an order was changed'),
		('order.cancelled', 'an order was called off'),
		('order.replaced', 'an order was closed because another took its place'),
		('specimen.collected', 'a specimen was taken from the patient'),
		('specimen.received', 'a specimen reached the laboratory'),
		('result.preliminary', 'a result was reported that may still change'),
		('result.final', 'a result was reported as final'),
		('result.corrected', 'a result that had been reported was corrected'),
		('result.cancelled', 'a result will not come or was withdrawn'),
		('result.viewed', 'somebody opened a result'),
		('result.acknowledged', 'a clinician confirmed having taken note of a result'),
		('result.acted_on', 'a clinician did what a result called for'),
		('result.released', 'a result was made visible to the patient'),
		('prescription.sent', 'a prescription was sent to a pharmacy'),
		('medication.dispensed', 'a pharmacy handed out a medication'),
		('medication.administered', 'a medication was given to the patient'),
		('immunization.administered', 'a vaccine was given to the patient'),
		('referral.sent', 'the patient was referred to another provider'),
		('referral.modified', 'a referral was changed'),
		('referral.accepted', 'the provider referred to took the patient on'),
		('referral.rejected', 'the provider referred to declined'),
		('referral.scheduled', 'the referred patient got an appointment'),
		('referral.seen', 'the referred patient was seen'),
		('referral.report_returned', 'the provider referred to reported back'),
		('referral.cancelled', 'a referral was called off'),
		('referral.closed', 'a referral was finished, by its report or by decision'),
		('followup.scheduled', 'a follow-up was planned'),
		('followup.completed', 'a follow-up took place'),
		('handoff.offered', 'responsibility was offered to another party'),
		('handoff.accepted', 'responsibility was taken over'),
		('handoff.rejected', 'responsibility was declined'),
		('alert.fired', 'a system showed an alert'),
		('alert.acknowledged', 'somebody confirmed an alert'),
		('alert.overridden', 'somebody went on against an alert'),
		('data.entered', 'a value was typed into a system'),
		('task.created', 'a task was set'),
		('task.completed', 'a task was done'),
		('task.cancelled', 'a task was called off'),
		('screen.used', 'somebody worked on a screen'),
		('authorization.requested', 'the insurer was asked to approve a service'),
		('authorization.approved', 'the insurer approved a service'),
		('authorization.denied', 'the insurer refused a service'),
		('charge.captured', 'a service was put on the bill'),
		('claim.submitted', 'a claim was sent to the insurer'),
		('claim.accepted', 'the insurer accepted a claim'),
		('claim.denied', 'the insurer refused a claim'),
		('claim.paid', 'the insurer paid a claim')
	) AS k(kind, description)
	ON CONFLICT (kind) DO NOTHING;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_event_kind() IS 'makes event_kind and adds the shipped kinds that it lacks';
CREATE FUNCTION workflow_track.setup_workflow() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.workflow (
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		state text COLLATE "C" NOT NULL CHECK (state IN ('draft', 'current', 'future', 'retired')),
		document jsonb NOT NULL,
		defined_at timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (workflow, version)
	);
	CREATE UNIQUE INDEX IF NOT EXISTS workflow_current ON workflow_track.workflow (workflow) WHERE state = 'current';
	COMMENT ON TABLE workflow_track.workflow IS 'the versions of the workflow map; define_workflow() makes them';
	COMMENT ON COLUMN workflow_track.workflow.workflow IS 'the name of the workflow';
	COMMENT ON COLUMN workflow_track.workflow.version IS 'the number of the version';
	COMMENT ON COLUMN workflow_track.workflow.state IS 'draft, current, future or retired; only the current version drives detection';
	COMMENT ON COLUMN workflow_track.workflow.document IS 'the document as it was given, with its state of today';
	COMMENT ON COLUMN workflow_track.workflow.defined_at IS 'when this version was stored';
	COMMENT ON INDEX workflow_track.workflow_current IS 'one version of a workflow is current';

	CREATE TABLE IF NOT EXISTS workflow_track.workflow_step (
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		step text COLLATE "C" NOT NULL,
		kind text COLLATE "C" NOT NULL REFERENCES workflow_track.event_kind,
		performed_by text[] COLLATE "C" NOT NULL,
		systems text[] COLLATE "C" NOT NULL,
		delivered_to text[] COLLATE "C" NOT NULL,
		required_fields text[] COLLATE "C" NOT NULL,
		optional boolean NOT NULL,
		repeatable boolean NOT NULL,
		starts boolean NOT NULL,
		ends boolean NOT NULL,
		PRIMARY KEY (workflow, version, step),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.workflow_step IS 'the steps of a workflow: what happens, who does it, where, and who is told';
	COMMENT ON COLUMN workflow_track.workflow_step.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.workflow_step.version IS 'its version';
	COMMENT ON COLUMN workflow_track.workflow_step.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.workflow_step.step IS 'the name of the step';
	COMMENT ON COLUMN workflow_track.workflow_step.kind IS 'the kind of event that the step leaves';
	COMMENT ON COLUMN workflow_track.workflow_step.performed_by IS 'the roles that perform it; empty is any';
	COMMENT ON COLUMN workflow_track.workflow_step.systems IS 'the systems it is entered in (key "in"); empty is any';
	COMMENT ON COLUMN workflow_track.workflow_step.delivered_to IS 'the roles to whom it must be directed; empty is nobody in particular';
	COMMENT ON COLUMN workflow_track.workflow_step.required_fields IS 'what its event must hold: columns of event, detail.KEY or code:SYSTEM';
	COMMENT ON COLUMN workflow_track.workflow_step.optional IS 'whether a case may do without it';
	COMMENT ON COLUMN workflow_track.workflow_step.repeatable IS 'whether a case may have it again';
	COMMENT ON COLUMN workflow_track.workflow_step.starts IS 'whether a case may begin with it (key "start")';
	COMMENT ON COLUMN workflow_track.workflow_step.ends IS 'whether a case may end with it (key "end")';

	CREATE TABLE IF NOT EXISTS workflow_track.workflow_transition (
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		from_step text COLLATE "C" NOT NULL,
		to_step text COLLATE "C" NOT NULL,
		PRIMARY KEY (workflow, version, from_step, to_step),
		FOREIGN KEY (workflow, version, from_step) REFERENCES workflow_track.workflow_step ON DELETE CASCADE,
		FOREIGN KEY (workflow, version, to_step) REFERENCES workflow_track.workflow_step ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.workflow_transition IS 'which step of a workflow may follow which';
	COMMENT ON COLUMN workflow_track.workflow_transition.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.workflow_transition.version IS 'its version';
	COMMENT ON COLUMN workflow_track.workflow_transition.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.workflow_transition.from_step IS 'the step before';
	COMMENT ON COLUMN workflow_track.workflow_transition.to_step IS 'the step after it';
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_workflow() IS 'makes the tables of workflows and their steps';

CREATE FUNCTION workflow_track.setup_expectation() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.expectation (
		expectation_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		name text COLLATE "C" NOT NULL,
		category text COLLATE "C" NOT NULL CHECK (category IN
			('acknowledgement', 'follow_up', 'referral', 'notification', 'order', 'handoff', 'claim')),
		after text[] COLLATE "C" NOT NULL,
		when_severity text[] COLLATE "C",
		when_facility text[] COLLATE "C",
		when_entry_method text[] COLLATE "C",
		when_code text COLLATE "C",
		when_detail jsonb,
		expect text[] COLLATE "C" NOT NULL,
		by text[] COLLATE "C" NOT NULL,
		correlated_by text COLLATE "C" NOT NULL CHECK (correlated_by IN ('patient', 'encounter', 'subject', 'item')),
		within interval NOT NULL,
		early interval NOT NULL,
		cancelled_by text[] COLLATE "C" NOT NULL,
		cancelled_by_correlation text[] COLLATE "C" NOT NULL,
		escalate_to text COLLATE "C",
		UNIQUE (workflow, version, name),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.expectation IS 'what must follow what, and by when: each opens a loop for every event that it is after';
	COMMENT ON COLUMN workflow_track.expectation.expectation_id IS 'identity';
	COMMENT ON COLUMN workflow_track.expectation.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.expectation.version IS 'its version';
	COMMENT ON COLUMN workflow_track.expectation.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.expectation.name IS 'what is expected, in words';
	COMMENT ON COLUMN workflow_track.expectation.category IS 'which lists its loops are shown in';
	COMMENT ON COLUMN workflow_track.expectation.after IS 'the kinds that open a loop';
	COMMENT ON COLUMN workflow_track.expectation.when_severity IS 'the severities of openers, unknown for none; null is any';
	COMMENT ON COLUMN workflow_track.expectation.when_facility IS 'the facilities of openers; null is any';
	COMMENT ON COLUMN workflow_track.expectation.when_entry_method IS 'the entry methods of openers, unknown for none; null is any';
	COMMENT ON COLUMN workflow_track.expectation.when_code IS 'the beginning of the codes of openers; null is any';
	COMMENT ON COLUMN workflow_track.expectation.when_detail IS 'keys of openers'' detail, each with a list of the values that will do; null is any detail';
	COMMENT ON COLUMN workflow_track.expectation.expect IS 'the kinds that close a loop';
	COMMENT ON COLUMN workflow_track.expectation.by IS 'the roles whose events close it; empty is anybody';
	COMMENT ON COLUMN workflow_track.expectation.correlated_by IS 'what the events of a loop share: patient, encounter, subject or item';
	COMMENT ON COLUMN workflow_track.expectation.within IS 'the time allowed, in hours';
	COMMENT ON COLUMN workflow_track.expectation.early IS 'how long before its opener an event may still close a loop, in hours';
	COMMENT ON COLUMN workflow_track.expectation.cancelled_by IS 'the kinds that cancel a loop';
	COMMENT ON COLUMN workflow_track.expectation.cancelled_by_correlation IS 'for each kind of cancelled_by, what it shares with the opener';
	COMMENT ON COLUMN workflow_track.expectation.escalate_to IS 'the role to turn to when a loop is overdue';
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_expectation() IS 'makes the table of expectations';

CREATE FUNCTION workflow_track.setup_rule() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.duplicate_rule (
		duplicate_rule_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		name text COLLATE "C",
		kind text COLLATE "C" NOT NULL REFERENCES workflow_track.event_kind,
		same text[] COLLATE "C" NOT NULL,
		different text[] COLLATE "C" NOT NULL,
		when_severity text[] COLLATE "C",
		when_facility text[] COLLATE "C",
		when_entry_method text[] COLLATE "C",
		when_code text COLLATE "C",
		when_detail jsonb,
		within interval NOT NULL,
		action text COLLATE "C" NOT NULL CHECK (action IN ('flag', 'reject')),
		UNIQUE (workflow, version, name),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.duplicate_rule IS 'which two events of a patient are the same thing entered twice';
	COMMENT ON COLUMN workflow_track.duplicate_rule.duplicate_rule_id IS 'identity';
	COMMENT ON COLUMN workflow_track.duplicate_rule.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.duplicate_rule.version IS 'its version';
	COMMENT ON COLUMN workflow_track.duplicate_rule.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.duplicate_rule.name IS 'the rule''s name, or null';
	COMMENT ON COLUMN workflow_track.duplicate_rule.kind IS 'the kind of both events';
	COMMENT ON COLUMN workflow_track.duplicate_rule.same IS 'the columns in which both are equal; null equals null';
	COMMENT ON COLUMN workflow_track.duplicate_rule.different IS 'the columns in each of which they are not';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_severity IS 'the severities of both, unknown for none; null is any';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_facility IS 'the facilities of both; null is any';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_entry_method IS 'the entry methods of both, unknown for none; null is any';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_code IS 'the beginning of the codes of both; null is any';
	COMMENT ON COLUMN workflow_track.duplicate_rule.when_detail IS 'keys of both details, each with a list of the values that will do; null is any detail';
	COMMENT ON COLUMN workflow_track.duplicate_rule.within IS 'how far apart they are at most, in hours';
	COMMENT ON COLUMN workflow_track.duplicate_rule.action IS 'flag lists the second entry, reject refuses it';

	CREATE TABLE IF NOT EXISTS workflow_track.billing_rule (
		billing_rule_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		workflow text COLLATE "C" NOT NULL,
		version integer NOT NULL,
		position integer NOT NULL,
		name text COLLATE "C",
		codes text COLLATE "C" NOT NULL,
		documented_by text[] COLLATE "C" NOT NULL,
		requires_authorization boolean NOT NULL,
		requires_modifiers text[] COLLATE "C" NOT NULL,
		within interval NOT NULL,
		UNIQUE (workflow, version, name),
		FOREIGN KEY (workflow, version) REFERENCES workflow_track.workflow ON DELETE CASCADE
	);
	COMMENT ON TABLE workflow_track.billing_rule IS 'what a charge needs in order to be paid';
	COMMENT ON COLUMN workflow_track.billing_rule.billing_rule_id IS 'identity';
	COMMENT ON COLUMN workflow_track.billing_rule.workflow IS 'the workflow';
	COMMENT ON COLUMN workflow_track.billing_rule.version IS 'its version';
	COMMENT ON COLUMN workflow_track.billing_rule.position IS 'the place in the document''s list, from 1';
	COMMENT ON COLUMN workflow_track.billing_rule.name IS 'the rule''s name, or null';
	COMMENT ON COLUMN workflow_track.billing_rule.codes IS 'the beginning of the codes that it covers';
	COMMENT ON COLUMN workflow_track.billing_rule.documented_by IS 'the kinds that document such a charge';
	COMMENT ON COLUMN workflow_track.billing_rule.requires_authorization IS 'whether the insurer must have approved it';
	COMMENT ON COLUMN workflow_track.billing_rule.requires_modifiers IS 'the modifiers that it must have; empty is none';
	COMMENT ON COLUMN workflow_track.billing_rule.within IS 'the time from documentation to charge, in hours';
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_rule() IS 'makes the tables of duplicate rules and billing rules';

CREATE FUNCTION workflow_track.setup_map() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	PERFORM workflow_track.setup_event_kind();
	PERFORM workflow_track.setup_workflow();
	PERFORM workflow_track.setup_expectation();
	PERFORM workflow_track.setup_rule();

	-- Rules are written by define_workflow() alone.
	GRANT SELECT ON workflow_track.event_kind TO workflow_track_admin, workflow_track_recorder, workflow_track_analyst;
	GRANT INSERT, UPDATE, DELETE ON workflow_track.event_kind TO workflow_track_admin;
	GRANT SELECT ON workflow_track.workflow, workflow_track.workflow_step, workflow_track.workflow_transition,
		workflow_track.expectation, workflow_track.duplicate_rule, workflow_track.billing_rule
		TO workflow_track_admin, workflow_track_analyst;
	GRANT EXECUTE ON FUNCTION workflow_track.define_workflow(jsonb),
		workflow_track.set_workflow_state(text, integer, text) TO workflow_track_admin;
	GRANT EXECUTE ON FUNCTION workflow_track.workflow_document(text, integer)
		TO workflow_track_admin, workflow_track_recorder, workflow_track_analyst;

	-- A site that retired or replaced the default has its own choice.
	IF NOT EXISTS (SELECT FROM workflow_track.workflow WHERE workflow = 'default') THEN
		PERFORM workflow_track.define_workflow(workflow_track.default_workflow());
	END IF;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_map() IS 'makes the tables of the map, the shipped kinds and the default workflow';
CREATE FUNCTION workflow_track.setup_event() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $setup$
DECLARE
	first_month timestamptz := date_trunc('month', now()) - interval '12 months';
	month timestamptz;
BEGIN
	IF to_regclass('workflow_track.event') IS NOT NULL THEN
		RETURN;
	END IF;
	-- What else must not be null, event_recorded() refuses without showing the row, as a constraint would.
	CREATE TABLE workflow_track.event (
		event_id bigint GENERATED ALWAYS AS IDENTITY,
		occurred_at timestamptz NOT NULL,
		recorded_at timestamptz DEFAULT now(),
		source_sequence integer DEFAULT 0,
		time_precision workflow_track.time_precision DEFAULT 'second',
		planned_at timestamptz,
		facility text COLLATE "C" DEFAULT '',
		patient_id text COLLATE "C",
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		item text COLLATE "C",
		kind text COLLATE "C",
		code workflow_track.clinical_code,
		value text COLLATE "C",
		severity workflow_track.severity,
		actor text COLLATE "C",
		actor_role text COLLATE "C",
		recipient text COLLATE "C",
		recipient_role text COLLATE "C",
		source_system text COLLATE "C",
		entry_method workflow_track.entry_method,
		message_id bigint,
		detail jsonb,
		PRIMARY KEY (event_id, occurred_at)
	) PARTITION BY RANGE (occurred_at);
	CREATE INDEX event_patient ON workflow_track.event (patient_id, occurred_at);

	COMMENT ON TABLE workflow_track.event IS 'what happened in patients'' care and its paperwork; append-only';
	COMMENT ON COLUMN workflow_track.event.event_id IS 'number of the event; given by this database';
	COMMENT ON COLUMN workflow_track.event.occurred_at IS 'when it happened, at the source';
	COMMENT ON COLUMN workflow_track.event.recorded_at IS 'when this database stored it: the time of the recording transaction';
	COMMENT ON COLUMN workflow_track.event.source_sequence IS 'the sender''s own order among events of the same instant';
	COMMENT ON COLUMN workflow_track.event.time_precision IS 'how exactly occurred_at was known';
	COMMENT ON COLUMN workflow_track.event.planned_at IS 'when it is meant to happen: an appointment''s start, an order for later';
	COMMENT ON COLUMN workflow_track.event.facility IS 'where the patient is cared for';
	COMMENT ON COLUMN workflow_track.event.patient_id IS 'the patient';
	COMMENT ON COLUMN workflow_track.event.encounter_id IS 'the visit or stay';
	COMMENT ON COLUMN workflow_track.event.subject IS 'the order, referral, claim, appointment or document that it is about';
	COMMENT ON COLUMN workflow_track.event.item IS 'which of several things of the subject; null means all of it';
	COMMENT ON COLUMN workflow_track.event.kind IS 'what happened: a row of event_kind';
	COMMENT ON COLUMN workflow_track.event.code IS 'what was ordered, found, charged or entered';
	COMMENT ON COLUMN workflow_track.event.value IS 'the value found or entered';
	COMMENT ON COLUMN workflow_track.event.severity IS 'how far a result is from what is expected; null is not known';
	COMMENT ON COLUMN workflow_track.event.actor IS 'who did it';
	COMMENT ON COLUMN workflow_track.event.actor_role IS 'the role that the sender states; null is looked up in staff';
	COMMENT ON COLUMN workflow_track.event.recipient IS 'to whom it was directed';
	COMMENT ON COLUMN workflow_track.event.recipient_role IS 'the role that the sender states of the recipient; null is looked up in staff';
	COMMENT ON COLUMN workflow_track.event.source_system IS 'the system it was entered in';
	COMMENT ON COLUMN workflow_track.event.entry_method IS 'whether a system sent it or a person typed it';
	COMMENT ON COLUMN workflow_track.event.message_id IS 'the message that it came from';
	COMMENT ON COLUMN workflow_track.event.detail IS 'anything else';

	CREATE TABLE workflow_track.event_before (LIKE workflow_track.event INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMMENTS);
	COMMENT ON TABLE workflow_track.event_before IS 'events before the first month that has a partition of its own';
	EXECUTE format('ALTER TABLE workflow_track.event ATTACH PARTITION workflow_track.event_before FOR VALUES FROM (MINVALUE) TO (%L)', first_month);
	PERFORM workflow_track.guard_partition('event_before');
	FOR month IN SELECT generate_series(first_month, date_trunc('month', now()) + interval '24 months', interval '1 month') LOOP
		PERFORM workflow_track.make_month(month);
	END LOOP;

	CREATE TRIGGER event_unchangeable BEFORE UPDATE OR DELETE OR TRUNCATE ON workflow_track.event
		EXECUTE FUNCTION workflow_track.event_unchangeable();
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_event() IS 'part of setup(): table event and its partitions';

CREATE FUNCTION workflow_track.setup_record() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	PERFORM workflow_track.setup_event();

	CREATE TABLE IF NOT EXISTS workflow_track.retraction (
		patient_id text COLLATE "C" NOT NULL,
		event_id bigint PRIMARY KEY,
		occurred_at timestamptz NOT NULL,
		retracted_at timestamptz NOT NULL DEFAULT now(),
		retracted_reason text NOT NULL,
		retracted_by text NOT NULL
	);
	CREATE INDEX IF NOT EXISTS retraction_patient ON workflow_track.retraction (patient_id);
	COMMENT ON TABLE workflow_track.retraction IS 'events that were entered in error; retract_event() writes it';
	COMMENT ON COLUMN workflow_track.retraction.patient_id IS 'the patient of the event';
	COMMENT ON COLUMN workflow_track.retraction.event_id IS 'the event';
	COMMENT ON COLUMN workflow_track.retraction.occurred_at IS 'when the event was said to have happened';
	COMMENT ON COLUMN workflow_track.retraction.retracted_at IS 'when it was retracted';
	COMMENT ON COLUMN workflow_track.retraction.retracted_reason IS 'why';
	COMMENT ON COLUMN workflow_track.retraction.retracted_by IS 'the database user who did';

	CREATE TABLE IF NOT EXISTS workflow_track.patient_merge (
		patient_id text COLLATE "C" NOT NULL,
		merged_id text COLLATE "C" NOT NULL,
		event_id bigint PRIMARY KEY
	);
	CREATE INDEX IF NOT EXISTS patient_merge_patient ON workflow_track.patient_merge (patient_id);
	CREATE INDEX IF NOT EXISTS patient_merge_merged ON workflow_track.patient_merge (merged_id);
	COMMENT ON TABLE workflow_track.patient_merge IS 'what events patient.merged say; kept beyond retention';
	COMMENT ON COLUMN workflow_track.patient_merge.patient_id IS 'the surviving id';
	COMMENT ON COLUMN workflow_track.patient_merge.merged_id IS 'the losing id';
	COMMENT ON COLUMN workflow_track.patient_merge.event_id IS 'the event';

	CREATE TABLE IF NOT EXISTS workflow_track.encounter_merge (
		patient_id text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C" NOT NULL,
		merged_id text COLLATE "C" NOT NULL,
		event_id bigint PRIMARY KEY
	);
	CREATE INDEX IF NOT EXISTS encounter_merge_patient ON workflow_track.encounter_merge (patient_id);
	COMMENT ON TABLE workflow_track.encounter_merge IS 'what events encounter.merged say; kept beyond retention';
	COMMENT ON COLUMN workflow_track.encounter_merge.patient_id IS 'the patient';
	COMMENT ON COLUMN workflow_track.encounter_merge.encounter_id IS 'the surviving encounter';
	COMMENT ON COLUMN workflow_track.encounter_merge.merged_id IS 'the losing encounter';
	COMMENT ON COLUMN workflow_track.encounter_merge.event_id IS 'the event';

	CREATE TABLE IF NOT EXISTS workflow_track.subject_alias (
		patient_id text COLLATE "C" NOT NULL,
		alias text COLLATE "C" NOT NULL,
		subject text COLLATE "C" NOT NULL,
		PRIMARY KEY (patient_id, alias, subject)
	);
	COMMENT ON TABLE workflow_track.subject_alias IS 'numbers that name one subject of a patient, as placer and filler numbers of an order do';
	COMMENT ON COLUMN workflow_track.subject_alias.patient_id IS 'the patient';
	COMMENT ON COLUMN workflow_track.subject_alias.alias IS 'one number';
	COMMENT ON COLUMN workflow_track.subject_alias.subject IS 'the other';

	CREATE TABLE IF NOT EXISTS workflow_track.test_patient (
		patient_id text COLLATE "C" PRIMARY KEY
	);
	COMMENT ON TABLE workflow_track.test_patient IS 'training and rehearsal charts: in no report, unless workflow_track.test_patients is on';
	COMMENT ON COLUMN workflow_track.test_patient.patient_id IS 'the patient';

	CREATE TABLE IF NOT EXISTS workflow_track.staff (
		actor text COLLATE "C" NOT NULL CHECK (actor <> ''),
		role text COLLATE "C",
		facility text COLLATE "C",
		system text COLLATE "C",
		is_shared_inbox boolean NOT NULL DEFAULT false,
		active_during tstzrange,
		display_name text
	);
	CREATE INDEX IF NOT EXISTS staff_actor ON workflow_track.staff (actor);
	-- Without a key, logical replication tells rows apart by all columns.
	ALTER TABLE workflow_track.staff REPLICA IDENTITY FULL;
	COMMENT ON TABLE workflow_track.staff IS 'who is who; an actor may have several rows';
	COMMENT ON COLUMN workflow_track.staff.actor IS 'the person or inbox, as events name it';
	COMMENT ON COLUMN workflow_track.staff.role IS 'the role, as the workflow map names it';
	COMMENT ON COLUMN workflow_track.staff.facility IS 'where the row applies; null is everywhere';
	COMMENT ON COLUMN workflow_track.staff.system IS 'the system where the row applies; null is every one';
	COMMENT ON COLUMN workflow_track.staff.is_shared_inbox IS 'whether nobody in particular reads it';
	COMMENT ON COLUMN workflow_track.staff.active_during IS 'when the row applies; null is always';
	COMMENT ON COLUMN workflow_track.staff.display_name IS 'name for people';

	CREATE TABLE IF NOT EXISTS workflow_track.facility (
		facility text COLLATE "C" PRIMARY KEY,
		name text,
		timezone text NOT NULL DEFAULT 'UTC'
	);
	COMMENT ON TABLE workflow_track.facility IS 'names of facilities for people';
	COMMENT ON COLUMN workflow_track.facility.facility IS 'the facility, as events name it';
	COMMENT ON COLUMN workflow_track.facility.name IS 'name for people';
	COMMENT ON COLUMN workflow_track.facility.timezone IS 'its time zone, for local days and shifts';

	GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_track.staff, workflow_track.facility,
		workflow_track.test_patient, workflow_track.subject_alias TO workflow_track_admin;
	GRANT SELECT ON workflow_track.retraction, workflow_track.patient_merge, workflow_track.encounter_merge
		TO workflow_track_admin;
	GRANT INSERT (occurred_at, source_sequence, time_precision, planned_at, facility, patient_id,
		encounter_id, subject, item, kind, code, value, severity, actor, actor_role, recipient,
		recipient_role, source_system, entry_method, message_id, detail), SELECT (event_id)
		ON workflow_track.event TO workflow_track_admin, workflow_track_recorder;
	GRANT SELECT ON workflow_track.facility TO workflow_track_analyst;
	GRANT INSERT ON workflow_track.subject_alias TO workflow_track_recorder;
	GRANT EXECUTE ON FUNCTION workflow_track.record_event(text, text, text, timestamptz, integer,
		workflow_track.time_precision, timestamptz, text, text, text, text, workflow_track.clinical_code,
		text, workflow_track.severity, text, text, text, text, workflow_track.entry_method, bigint, jsonb),
		workflow_track.recordable_until(), workflow_track.make_recordable(timestamptz)
		TO workflow_track_admin, workflow_track_recorder;
	GRANT EXECUTE ON FUNCTION workflow_track.retract_event(bigint, text),
		workflow_track.ensure_partitions(timestamptz, timestamptz) TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_record() IS 'part of setup(): tables of events and of who is who';
CREATE FUNCTION workflow_track.setup_state() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	rollup name;
BEGIN
	CREATE TABLE IF NOT EXISTS workflow_track.patient_state (
		patient_id text COLLATE "C" PRIMARY KEY,
		first_at timestamptz NOT NULL,
		linked boolean NOT NULL,
		imprecise boolean NOT NULL
	) WITH (fillfactor = 90);
	COMMENT ON TABLE workflow_track.patient_state IS 'the patients that events are recorded of';
	COMMENT ON COLUMN workflow_track.patient_state.patient_id IS 'the patient';
	COMMENT ON COLUMN workflow_track.patient_state.first_at IS 'no event of the patient is earlier';
	COMMENT ON COLUMN workflow_track.patient_state.imprecise IS 'whether an event is known to the month or the year only, so that the patient is always evaluated whole';
	COMMENT ON COLUMN workflow_track.patient_state.linked IS 'whether there is a merge, an alias, a retraction or a test patient to look for';

	CREATE TABLE IF NOT EXISTS workflow_track.loop_state (
		opened_event_id bigint NOT NULL,
		opened_at timestamptz NOT NULL,
		due_at timestamptz NOT NULL,
		settled_at timestamptz NOT NULL,
		closed_event_id bigint,
		opened_message_id bigint,
		expectation_id integer NOT NULL,
		severity workflow_track.severity,
		is_cancelled boolean NOT NULL,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		item text COLLATE "C",
		code workflow_track.clinical_code,
		opened_by_kind text COLLATE "C" NOT NULL,
		owner text COLLATE "C",
		owner_role text COLLATE "C",
		closed_by text COLLATE "C",
		closed_by_role text COLLATE "C"
	) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
	CREATE INDEX IF NOT EXISTS loop_state_patient ON workflow_track.loop_state (patient_id, settled_at);
	CREATE INDEX IF NOT EXISTS loop_state_settled ON workflow_track.loop_state (expectation_id, settled_at);
	CREATE INDEX IF NOT EXISTS loop_state_opened ON workflow_track.loop_state (opened_at, facility);
	CREATE INDEX IF NOT EXISTS loop_state_missed ON workflow_track.loop_state (expectation_id, due_at) WHERE (settled_at > due_at) IS TRUE;
	-- How many that are, which is far fewer than the planner takes for granted.
	CREATE STATISTICS IF NOT EXISTS workflow_track.loop_state_is_missed ON (settled_at > due_at) FROM workflow_track.loop_state;
	COMMENT ON STATISTICS workflow_track.loop_state_is_missed IS 'how many loops were settled late or not at all';
	COMMENT ON TABLE workflow_track.loop_state IS 'loops and what settled them, as detection keeps them; view care_loop reads it';
	COMMENT ON COLUMN workflow_track.loop_state.opened_event_id IS 'the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.opened_at IS 'when it happened';
	COMMENT ON COLUMN workflow_track.loop_state.due_at IS 'when the answer is due';
	COMMENT ON COLUMN workflow_track.loop_state.settled_at IS 'when the loop was closed or cancelled; infinity while it is neither';
	COMMENT ON COLUMN workflow_track.loop_state.closed_event_id IS 'the closing event';
	COMMENT ON COLUMN workflow_track.loop_state.opened_message_id IS 'the message that the opening event came from';
	COMMENT ON COLUMN workflow_track.loop_state.expectation_id IS 'the expectation of the map';
	COMMENT ON COLUMN workflow_track.loop_state.severity IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.is_cancelled IS 'whether the loop was cancelled, not closed';
	COMMENT ON COLUMN workflow_track.loop_state.is_test IS 'whether the patient is a test patient';
	COMMENT ON COLUMN workflow_track.loop_state.patient_id IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.facility IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.encounter_id IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.subject IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.item IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.code IS 'of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.opened_by_kind IS 'kind of the opening event';
	COMMENT ON COLUMN workflow_track.loop_state.owner IS 'recipient of the opening event, else its actor';
	COMMENT ON COLUMN workflow_track.loop_state.owner_role IS 'the owner''s role';
	COMMENT ON COLUMN workflow_track.loop_state.closed_by IS 'actor of the closing event';
	COMMENT ON COLUMN workflow_track.loop_state.closed_by_role IS 'role of that actor';

	CREATE TABLE IF NOT EXISTS workflow_track.duplicate_state (
		duplicate_event_id bigint NOT NULL,
		original_event_id bigint NOT NULL,
		duplicate_at timestamptz NOT NULL,
		original_at timestamptz NOT NULL,
		duplicate_rule_id integer NOT NULL,
		duplicate_method workflow_track.entry_method,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C",
		kind text COLLATE "C" NOT NULL,
		subject text COLLATE "C",
		code workflow_track.clinical_code,
		value text COLLATE "C",
		original_system text COLLATE "C",
		duplicate_system text COLLATE "C",
		original_actor text COLLATE "C",
		duplicate_actor text COLLATE "C"
	);
	CREATE INDEX IF NOT EXISTS duplicate_state_patient ON workflow_track.duplicate_state (patient_id, duplicate_at);
	CREATE INDEX IF NOT EXISTS duplicate_state_at ON workflow_track.duplicate_state (duplicate_at);
	COMMENT ON TABLE workflow_track.duplicate_state IS 'duplicate entries, as detection keeps them; view duplicate_entry reads it';
	PERFORM workflow_track.comment_columns('duplicate_state',
		'duplicate_event_id', 'the event that repeats', 'original_event_id', 'the earliest same entry before it',
		'duplicate_at', 'when the duplicate happened', 'original_at', 'when the original happened',
		'duplicate_rule_id', 'the rule of the map', 'duplicate_method', 'how the duplicate was entered',
		'is_test', 'whether the patient is a test patient', 'patient_id', 'of the duplicate', 'facility', 'of the duplicate',
		'encounter_id', 'of the duplicate', 'kind', 'of both', 'subject', 'of the duplicate', 'code', 'of the duplicate',
		'value', 'of the duplicate', 'original_system', 'where the original was entered',
		'duplicate_system', 'where the duplicate was entered', 'original_actor', 'who made the original',
		'duplicate_actor', 'who made the duplicate');

	CREATE TABLE IF NOT EXISTS workflow_track.misrouted_state (
		event_id bigint NOT NULL,
		occurred_at timestamptz NOT NULL,
		claimed_at timestamptz,
		message_id bigint,
		severity workflow_track.severity,
		is_test boolean NOT NULL,
		patient_id text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		encounter_id text COLLATE "C",
		subject text COLLATE "C",
		item text COLLATE "C",
		code workflow_track.clinical_code,
		recipient text COLLATE "C",
		recipient_role text COLLATE "C",
		expected_roles text[] COLLATE "C" NOT NULL,
		reason text COLLATE "C" NOT NULL,
		workflow text COLLATE "C" NOT NULL,
		step text COLLATE "C" NOT NULL,
		claimed_by text COLLATE "C"
	);
	CREATE INDEX IF NOT EXISTS misrouted_state_patient ON workflow_track.misrouted_state (patient_id);
	CREATE INDEX IF NOT EXISTS misrouted_state_at ON workflow_track.misrouted_state (occurred_at);
	COMMENT ON TABLE workflow_track.misrouted_state IS 'misrouted events, as detection keeps them; view misrouted_result reads it';
	PERFORM workflow_track.comment_columns('misrouted_state',
		'event_id', 'the event', 'occurred_at', 'when it happened', 'claimed_at', 'when somebody in an expected role took it up',
		'message_id', 'the message that it came from', 'severity', 'of the event', 'is_test', 'whether the patient is a test patient',
		'patient_id', 'of the event', 'facility', 'of the event', 'encounter_id', 'of the event', 'subject', 'of the event',
		'item', 'of the event', 'code', 'of the event', 'recipient', 'to whom it was directed', 'recipient_role', 'that person''s role',
		'expected_roles', 'the roles that the step delivers to', 'reason', 'why that was wrong', 'workflow', 'the workflow of the map',
		'step', 'the step that delivers', 'claimed_by', 'who took it up');

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_state (
		patient_id text COLLATE "C" PRIMARY KEY,
		contribution bytea NOT NULL
	) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
	COMMENT ON TABLE workflow_track.handoff_state IS 'what the handoffs taken under a patient id contribute to the rollups';
	COMMENT ON COLUMN workflow_track.handoff_state.patient_id IS 'the patient id';
	COMMENT ON COLUMN workflow_track.handoff_state.contribution IS 'groups, hours and latencies, as detection encodes them';

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_stale (
		patient_id text COLLATE "C" PRIMARY KEY
	) WITH (autovacuum_vacuum_scale_factor = 0.02);
	COMMENT ON TABLE workflow_track.handoff_stale IS 'patient ids whose contributions maintain() has to bring up to date; until then views compute them';
	COMMENT ON COLUMN workflow_track.handoff_stale.patient_id IS 'the patient id';

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_delta (
		removed bytea NOT NULL,
		added bytea NOT NULL
	);
	COMMENT ON TABLE workflow_track.handoff_delta IS 'changes of the rollups of handoffs that maintain() has not folded in yet';
	COMMENT ON COLUMN workflow_track.handoff_delta.removed IS 'contributions that are to be taken away, as in handoff_state';
	COMMENT ON COLUMN workflow_track.handoff_delta.added IS 'contributions that are to be added';

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_hourly (
		hour timestamptz NOT NULL,
		is_test boolean NOT NULL,
		basis text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		from_role text COLLATE "C",
		to_role text COLLATE "C",
		from_system text COLLATE "C",
		to_system text COLLATE "C",
		histogram workflow_track.latency_histogram NOT NULL,
		UNIQUE NULLS NOT DISTINCT (hour, is_test, basis, facility, from_role, to_role, from_system, to_system)
	) WITH (fillfactor = 70);
	COMMENT ON TABLE workflow_track.handoff_hourly IS 'latencies of handoffs by hour and group; view handoff_latency_hourly reads it';

	CREATE TABLE IF NOT EXISTS workflow_track.handoff_total (
		is_test boolean NOT NULL,
		basis text COLLATE "C" NOT NULL,
		facility text COLLATE "C" NOT NULL,
		from_role text COLLATE "C",
		to_role text COLLATE "C",
		from_system text COLLATE "C",
		to_system text COLLATE "C",
		histogram workflow_track.latency_histogram NOT NULL,
		UNIQUE NULLS NOT DISTINCT (is_test, basis, facility, from_role, to_role, from_system, to_system)
	) WITH (fillfactor = 70);
	COMMENT ON TABLE workflow_track.handoff_total IS 'latencies of handoffs by group; view handoff_latency reads it';
	PERFORM workflow_track.comment_columns('handoff_hourly', 'hour', 'hour of the taking events, in UTC');
	FOREACH rollup IN ARRAY ARRAY['handoff_hourly', 'handoff_total'] LOOP
		PERFORM workflow_track.comment_columns(rollup,
			'is_test', 'whether they are of test patients', 'basis', 'explicit, thread or implied', 'facility', 'of the taking events',
			'from_role', 'the role of who released', 'to_role', 'the role of who took', 'from_system', 'system of the releasing events',
			'to_system', 'system of the taking events', 'histogram', 'the latencies');
	END LOOP;

	CREATE TABLE IF NOT EXISTS workflow_track.stale_mark (
		what text COLLATE "C" NOT NULL,
		name text COLLATE "C" NOT NULL,
		since timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (what, name)
	);
	COMMENT ON TABLE workflow_track.stale_mark IS 'actors, workflows and kinds that changed; catch_up() looks for the patients they touch';
	PERFORM workflow_track.comment_columns('stale_mark', 'what', 'actor, workflow, kind, or everything', 'name', 'which one', 'since', 'when it changed');

	CREATE TABLE IF NOT EXISTS workflow_track.stale_patient (
		patient_id text COLLATE "C" PRIMARY KEY,
		first_at timestamptz
	);
	COMMENT ON TABLE workflow_track.stale_patient IS 'patients that catch_up() has to evaluate again';
	PERFORM workflow_track.comment_columns('stale_patient', 'patient_id', 'the patient', 'first_at', 'no event of the patient is earlier, where that is known');

	CREATE TABLE IF NOT EXISTS workflow_track.detection_state (
		paused boolean NOT NULL DEFAULT false,
		since timestamptz NOT NULL DEFAULT now(),
		horizon timestamptz NOT NULL DEFAULT '-infinity',
		only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
	);
	COMMENT ON TABLE workflow_track.detection_state IS 'whether detection is paused, and from when on events are kept';
	PERFORM workflow_track.comment_columns('detection_state', 'paused', 'whether detection is paused', 'since', 'when that was changed',
		'horizon', 'the horizon of retention: what happened before is final', 'only_row', 'there is one row');
	INSERT INTO workflow_track.detection_state DEFAULT VALUES ON CONFLICT DO NOTHING;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_state() IS 'part of setup(): what detection keeps';

CREATE FUNCTION workflow_track.make_trigger(trigger_name name, table_name name, events text, definition text,
	firing text DEFAULT 'ALWAYS') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_trigger t
			WHERE t.tgrelid = to_regclass(format('workflow_track.%I', table_name)) AND t.tgname = trigger_name) THEN
		EXECUTE format('CREATE TRIGGER %I AFTER %s ON workflow_track.%I %s', trigger_name, events, table_name, definition);
	END IF;
	EXECUTE format('ALTER TABLE workflow_track.%I ENABLE %s TRIGGER %I', table_name, firing, trigger_name);
END
$$;
COMMENT ON FUNCTION workflow_track.make_trigger(name, name, text, text, text) IS
'part of setup(): a trigger, unless it is there; ALWAYS also fires for what logical replication applies, REPLICA for that alone';

CREATE FUNCTION workflow_track.setup_detect() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	name name;
	watched record;
BEGIN
	PERFORM workflow_track.setup_state();

	PERFORM workflow_track.make_trigger('event_recorded', 'event', 'INSERT',
		'FOR EACH ROW EXECUTE FUNCTION workflow_track.event_recorded()');
	FOREACH name IN ARRAY ARRAY['subject_alias', 'test_patient', 'retraction'] LOOP
		PERFORM workflow_track.make_trigger('patient_touched', name, 'INSERT OR UPDATE OR DELETE',
			'FOR EACH ROW EXECUTE FUNCTION workflow_track.patient_touched()');
		PERFORM workflow_track.make_trigger('mark_stale', name, 'TRUNCATE',
			'EXECUTE FUNCTION workflow_track.mark_stale()');
	END LOOP;

	FOR watched IN SELECT * FROM (VALUES
		('workflow', 'workflow', 'ROW.state = ''current'''),
		('staff', 'actor', 'true'),
		('event_kind', 'kind', 'true')) w (table_name, column_name, condition)
	LOOP
		PERFORM workflow_track.make_trigger('reference_changed', watched.table_name, 'INSERT OR UPDATE OR DELETE OR TRUNCATE',
			'EXECUTE FUNCTION workflow_track.reference_changed()');
		PERFORM workflow_track.make_trigger('mark_stale_insert', watched.table_name, 'INSERT',
			format('REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION workflow_track.mark_stale(%L, %L)', watched.column_name, watched.condition));
		PERFORM workflow_track.make_trigger('mark_stale_update', watched.table_name, 'UPDATE',
			format('REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows EXECUTE FUNCTION workflow_track.mark_stale(%L, %L)', watched.column_name, watched.condition));
		PERFORM workflow_track.make_trigger('mark_stale_delete', watched.table_name, 'DELETE',
			format('REFERENCING OLD TABLE AS old_rows EXECUTE FUNCTION workflow_track.mark_stale(%L, %L)', watched.column_name, watched.condition));
		PERFORM workflow_track.make_trigger('mark_stale_truncate', watched.table_name, 'TRUNCATE',
			'EXECUTE FUNCTION workflow_track.mark_stale()');
		-- Logical replication fires the triggers of rows alone.
		PERFORM workflow_track.make_trigger('reference_applied', watched.table_name, 'INSERT OR UPDATE OR DELETE',
			'FOR EACH ROW EXECUTE FUNCTION workflow_track.reference_changed()', 'REPLICA');
		PERFORM workflow_track.make_trigger('mark_stale_applied', watched.table_name, 'INSERT OR UPDATE OR DELETE',
			format('FOR EACH ROW EXECUTE FUNCTION workflow_track.mark_stale(%L, %L)', watched.column_name, watched.condition), 'REPLICA');
	END LOOP;

	GRANT EXECUTE ON FUNCTION workflow_track.pause_detection(), workflow_track.resume_detection(),
		workflow_track.maintain(), workflow_track.fold_handoffs(),
		workflow_track.refuse_while_paused(), workflow_track.wait_for_detection(),
		workflow_track.touch_stale(integer), workflow_track.resolve_stale_marks(), workflow_track.empty_handoffs(), workflow_track.begin_rebuild(),
		workflow_track.drop_before(timestamptz, boolean) TO workflow_track_admin;
	GRANT EXECUTE ON PROCEDURE workflow_track.catch_up(integer), workflow_track.rebuild(integer) TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_detect() IS 'part of setup(): kept state and the triggers of detection';
CREATE FUNCTION workflow_track.setup_health() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE OR REPLACE VIEW workflow_track.health AS
		SELECT 'version of tables' COLLATE "C" AS "check", i.version AS value,
			CASE WHEN i.version = workflow_track.code_version() THEN 'ok' ELSE 'critical' END COLLATE "C" AS verdict,
			'tables are to be those of version ' || workflow_track.code_version() || ': run SELECT workflow_track.setup()' AS advice
		FROM workflow_track.installation i
		UNION ALL
		SELECT 'months ahead', months::text,
			CASE WHEN months < 1 THEN 'critical' WHEN months < 12 THEN 'warning' ELSE 'ok' END,
			'there are to be 24 months for events to come: run SELECT workflow_track.maintain() every hour'
		FROM (SELECT extract(year FROM age)::int * 12 + extract(month FROM age)::int AS months
			FROM (SELECT age(workflow_track.recordable_until(), now()) AS age) a) m
		UNION ALL
		SELECT 'events before the first month', rows::text,
			CASE WHEN rows > 1000000 THEN 'warning' ELSE 'ok' END,
			'many events without a month of their own: run workflow_track.ensure_partitions() from the earliest on'
		FROM (SELECT greatest(c.reltuples, 0)::bigint AS rows FROM pg_class c WHERE c.oid = to_regclass('workflow_track.event_before')) b
		UNION ALL
		SELECT 'unfolded deltas', n::text,
			CASE WHEN n > 1000000 THEN 'critical' WHEN n > 100000 THEN 'warning' ELSE 'ok' END,
			'views of handoff latency slow down: run SELECT workflow_track.maintain() every hour'
		FROM (SELECT count(*) AS n FROM workflow_track.handoff_delta) d
		UNION ALL
		SELECT 'patients whose handoffs are not in the rollups', n::text,
			CASE WHEN n > 100000 THEN 'critical' WHEN n > 10000 THEN 'warning' ELSE 'ok' END,
			'views of handoff latency compute them each time: run SELECT workflow_track.maintain() every hour'
		FROM (SELECT count(*) AS n FROM workflow_track.handoff_stale) d
		UNION ALL
		SELECT 'changes of map or staff to be caught up with', n::text,
			CASE WHEN n > 0 THEN 'warning' ELSE 'ok' END,
			'reports still follow what was in force before: run CALL workflow_track.catch_up()'
		FROM (SELECT count(*) AS n FROM workflow_track.stale_mark) s
		UNION ALL
		SELECT 'stale patients', n::text,
			CASE WHEN n > 0 THEN 'warning' ELSE 'ok' END,
			'their reports are not up to date: run CALL workflow_track.catch_up()'
		FROM (SELECT count(*) AS n FROM workflow_track.stale_patient) s
		UNION ALL
		SELECT 'detection paused', CASE WHEN paused THEN 'since ' || since::text ELSE 'no' END,
			CASE WHEN paused THEN 'critical' ELSE 'ok' END,
			'nothing new is found: run SELECT workflow_track.resume_detection(), then CALL workflow_track.catch_up()'
		FROM workflow_track.detection_state
		UNION ALL
		SELECT 'oldest prepared transaction', coalesce(max(age)::text, 'none'),
			CASE WHEN max(age) > interval '1 hour' THEN 'critical' WHEN max(age) > interval '5 minutes' THEN 'warning' ELSE 'ok' END,
			'it holds locks on its patients: COMMIT PREPARED or ROLLBACK PREPARED it'
		FROM (SELECT now() - p.prepared AS age FROM pg_prepared_xacts p WHERE p.database = current_database()) x
		UNION ALL
		SELECT 'sessions that wait for a patient''s lock', n::text,
			CASE WHEN n > 20 THEN 'critical' WHEN n > 5 THEN 'warning' ELSE 'ok' END,
			'a long transaction records for the same patients: see pg_locks, locktype userlock'
		FROM (SELECT count(*) AS n FROM pg_locks l
			WHERE l.locktype = 'userlock' AND NOT l.granted
				AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) w
		UNION ALL
		SELECT 'silent senders', n::text, CASE WHEN n > 0 THEN 'warning' ELSE 'ok' END,
			'systems that recorded events in the last 7 days and none in the last 24 hours: ' || coalesce(names, 'none')
		FROM (SELECT count(*) AS n, string_agg(source_system, ', ' ORDER BY source_system) AS names
			FROM (SELECT e.source_system FROM workflow_track.event e
				WHERE e.recorded_at > now() - interval '7 days' AND e.occurred_at > now() - interval '7 days' AND e.source_system IS NOT NULL
				GROUP BY e.source_system HAVING max(e.recorded_at) < now() - interval '24 hours') quiet) s;
	COMMENT ON VIEW workflow_track.health IS 'a row for each thing that a DBA should watch';
	PERFORM workflow_track.comment_columns('health',
		'check', 'what is looked at', 'value', 'what was found', 'verdict', 'ok, warning or critical', 'advice', 'what it means, and what to do');
	GRANT SELECT ON workflow_track.health TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_health() IS 'part of setup(): view health';
CREATE FUNCTION workflow_track.setup_access() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	IF to_regclass('workflow_track.facility_access') IS NULL THEN
		CREATE TABLE workflow_track.facility_access (
			role_name text COLLATE "C" NOT NULL,
			facility text COLLATE "C" NOT NULL,
			PRIMARY KEY (role_name, facility)
		);
		INSERT INTO workflow_track.facility_access VALUES ('workflow_track_admin', '*');
	END IF;
	COMMENT ON TABLE workflow_track.facility_access IS 'which facilities the members of a role see; no row is none';
	COMMENT ON COLUMN workflow_track.facility_access.role_name IS 'the role';
	COMMENT ON COLUMN workflow_track.facility_access.facility IS 'a facility as events name it; * is all';
	GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_track.facility_access TO workflow_track_admin;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_access() IS 'part of setup(): who sees which facility';

CREATE FUNCTION workflow_track.setup_loop_views() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	loop_columns text := $query$
		SELECT l.workflow, l.expectation, l.category, l.facility, l.patient_id, l.encounter_id, l.subject, l.code,
			l.severity, l.opened_by_kind, l.opened_event_id, l.opened_at, l.due_at, l.owner, l.owner_role,
			CASE WHEN l.settled_at <= :as_of THEN
					CASE WHEN l.is_cancelled THEN 'cancelled' WHEN l.settled_at <= l.due_at THEN 'met' ELSE 'late' END
				WHEN :as_of < l.due_at THEN 'open'
				ELSE 'overdue' END COLLATE "C" AS status,
			CASE WHEN l.settled_at <= :as_of THEN l.closed_event_id END AS closed_event_id,
			CASE WHEN l.settled_at <= :as_of AND NOT l.is_cancelled THEN l.settled_at END AS closed_at,
			CASE WHEN l.settled_at > :as_of THEN CASE WHEN :as_of >= l.due_at THEN :as_of - l.due_at END
				WHEN NOT l.is_cancelled AND l.settled_at > l.due_at THEN l.settled_at - l.due_at END AS overdue_by,
			l.item, l.escalate_to,
			CASE WHEN l.settled_at <= :as_of AND l.is_cancelled THEN l.settled_at END AS cancelled_at,
			CASE WHEN l.settled_at <= :as_of THEN l.closed_by END AS closed_by,
			CASE WHEN l.settled_at <= :as_of THEN l.closed_by_role END AS closed_by_role,
			l.opened_message_id,
			workflow_track.is_active_actor(l.owner, :as_of) AS owner_active
		FROM workflow_track.loop l
		WHERE l.opened_at <= :as_of$query$;
	report text;
BEGIN
	-- Reports name expectations by number, as the indexes of loop_state begin with it: what other categories left open costs nothing.
	CREATE OR REPLACE VIEW workflow_track.loop WITH (security_barrier) AS
		SELECT e.workflow, e.name AS expectation, e.category, e.escalate_to,
			l.facility, l.patient_id, l.encounter_id, l.subject, l.item, l.code, l.severity,
			l.opened_by_kind, l.opened_event_id, l.opened_message_id, l.opened_at, l.due_at, l.owner, l.owner_role,
			l.settled_at, l.is_cancelled, l.closed_event_id, l.closed_by, l.closed_by_role, l.expectation_id
		FROM workflow_track.loop_state l JOIN workflow_track.expectation e USING (expectation_id)
		WHERE ((SELECT workflow_track.sees_all_facilities()) OR l.facility = ANY ((SELECT workflow_track.visible_facilities())::text[]))
			AND (NOT l.is_test OR (SELECT workflow_track.test_patients_shown()));
	COMMENT ON VIEW workflow_track.loop IS 'every loop with what settled it, whenever that was; care_loop and its kin ask it about a moment';
	GRANT SELECT ON workflow_track.loop TO workflow_track_admin, workflow_track_analyst;

	PERFORM workflow_track.make_report('care_loop', loop_columns,
		'every loop that an expectation of the map opened, with its status');
	PERFORM workflow_track.make_report('unacknowledged_result',
		loop_columns || $$ AND l.settled_at > :as_of AND l.expectation_id = ANY (ARRAY(
			SELECT e.expectation_id FROM workflow_track.expectation e WHERE e.category = 'acknowledgement'))$$,
		'results that nobody has acknowledged yet: loops of category acknowledgement that are open or overdue');
	PERFORM workflow_track.make_report('missed_follow_up',
		loop_columns || $$ AND (l.settled_at > l.due_at) IS TRUE AND l.due_at <= :as_of AND NOT (l.is_cancelled AND l.settled_at <= :as_of)
			AND l.expectation_id = ANY (ARRAY(
			SELECT e.expectation_id FROM workflow_track.expectation e WHERE e.category IN ('follow_up', 'referral', 'notification')))$$,
		'follow-ups, referrals and notifications of patients that are overdue or came late');
	PERFORM workflow_track.make_report('overdue_loop',
		loop_columns || $$ AND l.settled_at > :as_of AND l.due_at <= :as_of
			AND l.expectation_id = ANY (ARRAY(SELECT e.expectation_id FROM workflow_track.expectation e))$$,
		'every loop that is overdue');
	PERFORM workflow_track.make_report('task_queue', $query$
		SELECT l.facility, l.owner_role AS role, l.owner AS actor,
			count(*) FILTER (WHERE :as_of < l.due_at) AS open_loops,
			count(*) FILTER (WHERE :as_of >= l.due_at) AS overdue_loops,
			min(l.due_at) AS oldest_due_at
		FROM workflow_track.loop l
		WHERE l.opened_at <= :as_of AND l.settled_at > :as_of
			AND l.expectation_id = ANY (ARRAY(SELECT e.expectation_id FROM workflow_track.expectation e))
		GROUP BY l.facility, l.owner_role, l.owner$query$,
		'what waits for whom: open and overdue loops by owner');
	PERFORM workflow_track.make_report('rule_coverage', $query$
		SELECT e.workflow, e.name AS expectation, c.facility COLLATE "C" AS facility, c.openers, c.closers, c.unmatched_closers
		FROM workflow_track.coverage_counts(:as_of) c
		JOIN workflow_track.expectation e ON e.expectation_id = c.expectation_id$query$,
		'whether expectations can be observed: how many events open and close their loops; reads every event');

	FOREACH report IN ARRAY ARRAY['care_loop', 'unacknowledged_result', 'missed_follow_up', 'overdue_loop'] LOOP
		PERFORM workflow_track.comment_columns(report,
			'workflow', 'the workflow of the map', 'expectation', 'the expectation that the opening event met',
			'category', 'what sort of expectation it is', 'facility', 'of the opening event',
			'patient_id', 'of the opening event', 'encounter_id', 'of the opening event',
			'subject', 'of the opening event', 'code', 'of the opening event', 'severity', 'of the opening event',
			'opened_by_kind', 'kind of the opening event', 'opened_event_id', 'the opening event',
			'opened_at', 'when it happened', 'due_at', 'when the answer is due: the later of opened_at and planned_at, + within',
			'owner', 'recipient of the opening event, else its actor', 'owner_role', 'the owner''s role, stated or looked up in staff',
			'status', 'cancelled, met (closed in time), late (closed after), open or overdue',
			'closed_event_id', 'the closing event', 'closed_at', 'when it happened',
			'overdue_by', 'how long it is overdue, or how much later it was closed than due',
			'item', 'of the opening event', 'escalate_to', 'the role to tell when it is overdue',
			'cancelled_at', 'when the cancelling event happened', 'closed_by', 'actor of the closing event',
			'closed_by_role', 'the role of that actor', 'opened_message_id', 'the message that the opening event came from',
			'owner_active', 'whether the owner is in staff and active at the moment asked about');
	END LOOP;
	PERFORM workflow_track.comment_columns('loop',
		'workflow', 'the workflow of the map', 'expectation', 'the expectation', 'category', 'its category',
		'escalate_to', 'the role to tell when it is overdue', 'facility', 'of the opening event',
		'patient_id', 'of the opening event', 'encounter_id', 'of the opening event', 'subject', 'of the opening event',
		'item', 'of the opening event', 'code', 'of the opening event', 'severity', 'of the opening event',
		'opened_by_kind', 'kind of the opening event', 'opened_event_id', 'the opening event',
		'opened_message_id', 'the message it came from', 'opened_at', 'when it happened', 'due_at', 'when the answer is due',
		'owner', 'recipient of the opening event, else its actor', 'owner_role', 'the owner''s role',
		'settled_at', 'when it was closed or cancelled; infinity while it is neither',
		'is_cancelled', 'whether it was cancelled, not closed', 'closed_event_id', 'the closing event',
		'closed_by', 'its actor', 'closed_by_role', 'the role of that actor', 'expectation_id', 'number of the expectation');
	PERFORM workflow_track.comment_columns('task_queue',
		'facility', 'of the opening events', 'role', 'the owner''s role', 'actor', 'the owner; null where nobody is',
		'open_loops', 'loops not due yet', 'overdue_loops', 'loops due and not settled', 'oldest_due_at', 'the earliest due_at of both');
	PERFORM workflow_track.comment_columns('rule_coverage',
		'workflow', 'the workflow of the map', 'expectation', 'the expectation', 'facility', 'of the events counted',
		'openers', 'events that opened a loop', 'closers', 'events of a kind and role that could close one',
		'unmatched_closers', 'of these, those with no opener they could answer: the numbers do not agree');
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_loop_views() IS 'part of setup(): views of loops';

CREATE FUNCTION workflow_track.setup_finding_views() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	CREATE OR REPLACE VIEW workflow_track.duplicate_entry WITH (security_barrier) AS
		SELECT d.duplicate_event_id, d.original_event_id, d.facility, d.patient_id, d.encounter_id, d.kind, d.subject,
			d.code, d.value, d.original_at, d.duplicate_at, d.duplicate_at - d.original_at AS gap,
			d.original_system, d.duplicate_system, d.original_actor, d.duplicate_actor, d.duplicate_method,
			d.original_system IS DISTINCT FROM d.duplicate_system AS crosses_systems,
			r.workflow, coalesce(r.name, r.kind) AS rule
		FROM workflow_track.duplicate_state d JOIN workflow_track.duplicate_rule r USING (duplicate_rule_id)
		WHERE ((SELECT workflow_track.sees_all_facilities()) OR d.facility = ANY ((SELECT workflow_track.visible_facilities())::text[]))
			AND (NOT d.is_test OR (SELECT workflow_track.test_patients_shown()));
	COMMENT ON VIEW workflow_track.duplicate_entry IS 'entries that had been made before, by the duplicate rules of the map';
	PERFORM workflow_track.comment_columns('duplicate_entry',
		'duplicate_event_id', 'the event that repeats', 'original_event_id', 'the earliest same entry before it',
		'facility', 'of the duplicate', 'patient_id', 'of the duplicate', 'encounter_id', 'of the duplicate',
		'kind', 'of both', 'subject', 'of the duplicate', 'code', 'of the duplicate', 'value', 'of the duplicate',
		'original_at', 'when the original happened', 'duplicate_at', 'when the duplicate happened', 'gap', 'the time between',
		'original_system', 'where the original was entered', 'duplicate_system', 'where the duplicate was entered',
		'original_actor', 'who made the original', 'duplicate_actor', 'who made the duplicate',
		'duplicate_method', 'how the duplicate was entered', 'crosses_systems', 'whether the two systems differ',
		'workflow', 'the workflow of the map', 'rule', 'the rule''s name, else its kind');

	CREATE OR REPLACE VIEW workflow_track.misrouted_result WITH (security_barrier) AS
		SELECT m.event_id, m.facility, m.patient_id, m.encounter_id, m.subject, m.code, m.severity, m.occurred_at,
			m.recipient, m.recipient_role, m.expected_roles, m.reason, m.item, m.workflow, m.step, m.message_id,
			m.claimed_by, m.claimed_at
		FROM workflow_track.misrouted_state m
		WHERE ((SELECT workflow_track.sees_all_facilities()) OR m.facility = ANY ((SELECT workflow_track.visible_facilities())::text[]))
			AND (NOT m.is_test OR (SELECT workflow_track.test_patients_shown()));
	COMMENT ON VIEW workflow_track.misrouted_result IS 'events that a step delivers to someone and that did not reach such a one';
	PERFORM workflow_track.comment_columns('misrouted_result',
		'event_id', 'the event', 'facility', 'of the event', 'patient_id', 'of the event', 'encounter_id', 'of the event',
		'subject', 'of the event', 'code', 'of the event', 'severity', 'of the event', 'occurred_at', 'when it happened',
		'recipient', 'to whom it was directed', 'recipient_role', 'that person''s role, stated or looked up in staff',
		'expected_roles', 'the roles that the step delivers to',
		'reason', 'no_recipient, unknown_recipient, inactive_recipient, shared_inbox or wrong_role: the first that holds',
		'item', 'of the event', 'workflow', 'the workflow of the map', 'step', 'the step that delivers',
		'message_id', 'the message that it came from',
		'claimed_by', 'the first active person in an expected role who did something about the subject later', 'claimed_at', 'when');

	CREATE OR REPLACE VIEW workflow_track.event_history WITH (security_barrier) AS
		SELECT e.*, r.retracted_at, r.retracted_reason
		FROM workflow_track.event e LEFT JOIN workflow_track.retraction r USING (event_id)
		WHERE (SELECT workflow_track.sees_all_facilities()) OR e.facility = ANY ((SELECT workflow_track.visible_facilities())::text[]);
	COMMENT ON VIEW workflow_track.event_history IS 'every event that was recorded, retracted ones marked';
	PERFORM workflow_track.comment_columns('event_history', VARIADIC ARRAY(
		SELECT unnest(ARRAY[a.attname::text, col_description(a.attrelid, a.attnum)])
		FROM pg_attribute a WHERE a.attrelid = 'workflow_track.event'::regclass AND a.attnum > 0 AND NOT a.attisdropped));
	PERFORM workflow_track.comment_columns('event_history',
		'retracted_at', 'when it was retracted; null if it was not', 'retracted_reason', 'why');

	GRANT SELECT ON workflow_track.duplicate_entry, workflow_track.misrouted_result, workflow_track.event_history
		TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_finding_views() IS 'part of setup(): views of duplicates, misrouted events, and of all events';

CREATE FUNCTION workflow_track.setup_handoff_views() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	report text;
BEGIN
	CREATE OR REPLACE VIEW workflow_track.handoff WITH (security_barrier) AS
		SELECT h.basis COLLATE "C" AS basis, h.facility COLLATE "C" AS facility, p.patient_id, h.encounter_id COLLATE "C" AS encounter_id,
			h.from_event_id, h.to_event_id, h.from_kind COLLATE "C" AS from_kind, h.to_kind COLLATE "C" AS to_kind,
			h.from_actor COLLATE "C" AS from_actor, h.to_actor COLLATE "C" AS to_actor,
			h.from_role COLLATE "C" AS from_role, h.to_role COLLATE "C" AS to_role,
			h.from_system COLLATE "C" AS from_system, h.to_system COLLATE "C" AS to_system,
			h.released_at, h.taken_at, h.latency, h.subject COLLATE "C" AS subject
		FROM workflow_track.patient_state p
		CROSS JOIN LATERAL workflow_track.patient_handoffs(p.patient_id) h;
	COMMENT ON VIEW workflow_track.handoff IS 'responsibility that passed from one party to another; computed from events, so ask for a patient where you can';
	PERFORM workflow_track.comment_columns('handoff',
		'basis', 'explicit (offered and accepted), thread (neighbours about one subject) or implied (neighbours in an encounter)',
		'facility', 'of the taking event', 'patient_id', 'of the taking event', 'encounter_id', 'of the taking event',
		'from_event_id', 'the releasing event', 'to_event_id', 'the taking event', 'from_kind', 'kind of the releasing event',
		'to_kind', 'kind of the taking event', 'from_actor', 'who released', 'to_actor', 'who took',
		'from_role', 'the role of who released', 'to_role', 'the role of who took', 'from_system', 'system of the releasing event',
		'to_system', 'system of the taking event', 'released_at', 'when the releasing event happened',
		'taken_at', 'when the taking event happened', 'latency', 'the time between; of an explicit one it may be negative',
		'subject', 'of the taking event; null of an implied one');

	CREATE OR REPLACE VIEW workflow_track.handoff_latency WITH (security_barrier) AS
		SELECT basis, facility, from_role, to_role, from_system, to_system,
			workflow_track.sample_count(histogram) AS handoffs, workflow_track.mean(histogram) AS mean,
			(quantiles)[1] AS p50, (quantiles)[2] AS p90, (quantiles)[3] AS p95, (quantiles)[4] AS p99,
			workflow_track.longest(histogram) AS longest
		FROM (SELECT g.*, workflow_track.quantiles(g.histogram, '{0.5,0.9,0.95,0.99}') AS quantiles
			FROM (SELECT basis, facility, from_role, to_role, from_system, to_system, workflow_track.merge(histogram) AS histogram
				FROM (SELECT is_test, basis, facility, from_role, to_role, from_system, to_system, histogram FROM workflow_track.handoff_total
					UNION ALL
					SELECT is_test, basis, facility, from_role, to_role, from_system, to_system, histogram FROM workflow_track.unfolded_handoffs(false)) kept
				WHERE ((SELECT workflow_track.sees_all_facilities()) OR facility = ANY ((SELECT workflow_track.visible_facilities())::text[]))
					AND (NOT is_test OR (SELECT workflow_track.test_patients_shown()))
				GROUP BY basis, facility, from_role, to_role, from_system, to_system) g
			WHERE workflow_track.sample_count(g.histogram) <> 0 OFFSET 0) q;
	COMMENT ON VIEW workflow_track.handoff_latency IS 'how long handoffs take, by who passes to whom; quantiles are within 1 %';

	CREATE OR REPLACE VIEW workflow_track.handoff_latency_hourly WITH (security_barrier) AS
		SELECT hour, basis, facility, from_role, to_role, from_system, to_system,
			workflow_track.sample_count(histogram) AS handoffs, workflow_track.mean(histogram) AS mean,
			workflow_track.quantile(histogram, 0.5) AS p50, workflow_track.quantile(histogram, 0.9) AS p90,
			workflow_track.quantile(histogram, 0.95) AS p95, workflow_track.quantile(histogram, 0.99) AS p99,
			workflow_track.longest(histogram) AS longest, histogram
		FROM (SELECT hour, basis, facility, from_role, to_role, from_system, to_system, workflow_track.merge(histogram) AS histogram
			FROM (SELECT * FROM workflow_track.handoff_hourly UNION ALL SELECT * FROM workflow_track.unfolded_handoffs(true)) kept
			WHERE ((SELECT workflow_track.sees_all_facilities()) OR facility = ANY ((SELECT workflow_track.visible_facilities())::text[]))
				AND (NOT is_test OR (SELECT workflow_track.test_patients_shown()))
			GROUP BY hour, basis, facility, from_role, to_role, from_system, to_system) g
		WHERE workflow_track.sample_count(histogram) <> 0;
	COMMENT ON VIEW workflow_track.handoff_latency_hourly IS 'the same by hour of the taking event; histograms merge into any local day or shift';

	FOREACH report IN ARRAY ARRAY['handoff_latency', 'handoff_latency_hourly'] LOOP
		PERFORM workflow_track.comment_columns(report,
			'basis', 'explicit, thread or implied', 'facility', 'of the taking events',
			'from_role', 'the role of who released', 'to_role', 'the role of who took',
			'from_system', 'system of the releasing events', 'to_system', 'system of the taking events',
			'handoffs', 'how many there were', 'mean', 'mean latency, exact', 'p50', 'half took no longer',
			'p90', '90 % took no longer', 'p95', '95 % took no longer', 'p99', '99 % took no longer', 'longest', 'the longest, within 1 %');
	END LOOP;
	PERFORM workflow_track.comment_columns('handoff_latency_hourly',
		'hour', 'hour of the taking events, in UTC', 'histogram', 'all latencies, to be merged');

	GRANT SELECT ON workflow_track.handoff, workflow_track.handoff_latency, workflow_track.handoff_latency_hourly
		TO workflow_track_admin, workflow_track_analyst;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_handoff_views() IS 'part of setup(): views of handoffs';

CREATE FUNCTION workflow_track.setup_report() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
	PERFORM workflow_track.setup_access();
	GRANT EXECUTE ON FUNCTION workflow_track.sees_all_facilities(), workflow_track.visible_facilities(),
		workflow_track.test_patients_shown(), workflow_track.is_active_actor(text, timestamptz),
		workflow_track.patient_handoffs(text), workflow_track.unfolded_handoffs(boolean), workflow_track.coverage_counts(timestamptz)
		TO workflow_track_admin, workflow_track_analyst;
	PERFORM workflow_track.setup_loop_views();
	PERFORM workflow_track.setup_finding_views();
	PERFORM workflow_track.setup_handoff_views();
	PERFORM workflow_track.setup_health();
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_report() IS 'part of setup(): views';
CREATE FUNCTION workflow_track.code_version() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '0.1.0' $$;
COMMENT ON FUNCTION workflow_track.code_version() IS 'the version of the installed functions';

CREATE FUNCTION workflow_track.setup_roles() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	role_name text;
	function regprocedure;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['workflow_track_admin', 'workflow_track_recorder', 'workflow_track_analyst']
	LOOP
		BEGIN
			IF to_regrole(role_name) IS NULL THEN
				EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
			END IF;
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL;	-- another database of the cluster is being set up
		END;
	END LOOP;
	GRANT USAGE ON SCHEMA workflow_track
		TO workflow_track_admin, workflow_track_recorder, workflow_track_analyst;
	GRANT EXECUTE ON FUNCTION workflow_track.code_version() TO workflow_track_admin;
	-- Those of the types, which read nothing.
	FOR function IN
		SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
		WHERE p.pronamespace = 'workflow_track'::regnamespace AND p.provolatile = 'i' AND l.lanname IN ('c', 'internal')
	LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO workflow_track_admin, workflow_track_recorder, workflow_track_analyst', function);
	END LOOP;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_roles() IS 'part of setup(): roles, and the functions of types for them';

-- A restore of data alone, with --disable-triggers, enables them for the origin's sessions only.
CREATE FUNCTION workflow_track.triggers_are_enabled() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT NOT EXISTS (
		SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
		WHERE p.pronamespace = 'workflow_track'::regnamespace AND p.proname <> 'event_unchangeable'
			AND t.tgenabled NOT IN ('A', 'R'))
$$;
COMMENT ON FUNCTION workflow_track.triggers_are_enabled() IS
'whether detection also hears of what logical replication applies';

CREATE FUNCTION workflow_track.setup() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $setup$
BEGIN
	BEGIN
		CREATE TABLE IF NOT EXISTS workflow_track.installation (
			version text NOT NULL,
			set_up_at timestamptz NOT NULL DEFAULT now(),
			only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
		);
	EXCEPTION WHEN duplicate_table OR unique_violation THEN
		NULL;	-- another session has made it meanwhile
	END;
	-- Two sessions that set up at once wait for each other.
	LOCK TABLE workflow_track.installation IN SHARE ROW EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM workflow_track.installation WHERE version = workflow_track.code_version())
		AND to_regrole('workflow_track_admin') IS NOT NULL
		AND to_regrole('workflow_track_recorder') IS NOT NULL
		AND to_regrole('workflow_track_analyst') IS NOT NULL
		AND to_regclass('workflow_track.health') IS NOT NULL
		AND workflow_track.triggers_are_enabled() THEN
		RETURN;
	END IF;

	COMMENT ON TABLE workflow_track.installation IS 'the version that setup() brought the tables to';
	PERFORM workflow_track.comment_columns('installation', 'version', 'the version', 'set_up_at', 'when', 'only_row', 'there is one row');
	PERFORM workflow_track.setup_roles();
	PERFORM workflow_track.setup_map();
	PERFORM workflow_track.setup_record();
	PERFORM workflow_track.setup_detect();
	PERFORM workflow_track.setup_report();

	INSERT INTO workflow_track.installation (version) VALUES (workflow_track.code_version())
		ON CONFLICT (only_row) DO UPDATE SET version = excluded.version, set_up_at = now()
		WHERE installation.version <> excluded.version;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup() IS
'makes the tables, triggers, views and roles, or brings them to the installed version; changes nothing when there is nothing to do';

CREATE FUNCTION workflow_track.prepare_restore(first_month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
BEGIN
	LOCK TABLE workflow_track.event IN ACCESS EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM workflow_track.event) OR EXISTS (SELECT FROM workflow_track.patient_state) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'events are recorded in this database',
			HINT = 'Restore a dump of data alone into a new database, after setup().';
	END IF;
	PERFORM workflow_track.ensure_partitions(first_month, now());
	PERFORM workflow_track.drop_months(date_trunc('month', first_month, 'UTC'));
	TRUNCATE workflow_track.event_kind, workflow_track.workflow, workflow_track.facility_access,
		workflow_track.detection_state, workflow_track.installation CASCADE;
END
$$;
COMMENT ON FUNCTION workflow_track.prepare_restore(timestamptz) IS
'makes room for a dump of data alone: takes away the rows that setup() made, and lets months begin where those of the dump do; after the restore, setup() is to be called again';

-- PUBLIC has nothing.
REVOKE ALL ON ALL ROUTINES IN SCHEMA workflow_track FROM PUBLIC;
