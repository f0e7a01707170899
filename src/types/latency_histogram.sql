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
