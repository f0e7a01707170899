CREATE TYPE workflow_track.hl7v2;

CREATE FUNCTION workflow_track.hl7v2_in(cstring) RETURNS workflow_track.hl7v2
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_in(cstring) IS 'I/O';

CREATE FUNCTION workflow_track.hl7v2_out(workflow_track.hl7v2) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_out(workflow_track.hl7v2) IS 'I/O';

CREATE FUNCTION workflow_track.hl7v2_recv(internal) RETURNS workflow_track.hl7v2
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_recv(internal) IS 'I/O';

CREATE FUNCTION workflow_track.hl7v2_send(workflow_track.hl7v2) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_send(workflow_track.hl7v2) IS 'I/O';

CREATE TYPE workflow_track.hl7v2 (
	INPUT = workflow_track.hl7v2_in,
	OUTPUT = workflow_track.hl7v2_out,
	RECEIVE = workflow_track.hl7v2_recv,
	SEND = workflow_track.hl7v2_send,
	STORAGE = extended
);
COMMENT ON TYPE workflow_track.hl7v2 IS 'a whole HL7 v2 message; the output has each segment ended by CR';

CREATE FUNCTION workflow_track.hl7v2(message text) RETURNS workflow_track.hl7v2
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'hl7v2_from_text';
COMMENT ON FUNCTION workflow_track.hl7v2(text) IS 'text as an HL7 v2 message';

CREATE CAST (text AS workflow_track.hl7v2) WITH FUNCTION workflow_track.hl7v2(text);
COMMENT ON CAST (text AS workflow_track.hl7v2) IS 'text as an HL7 v2 message';

CREATE FUNCTION workflow_track.hl7v2_first(message workflow_track.hl7v2, path text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_first(workflow_track.hl7v2, text) IS 'implementation of -> operator';

CREATE OPERATOR workflow_track.-> (
	LEFTARG = workflow_track.hl7v2, RIGHTARG = text, FUNCTION = workflow_track.hl7v2_first
);
COMMENT ON OPERATOR workflow_track.-> (workflow_track.hl7v2, text) IS
'what a path leads to first: message -> ''PID-3.1''; null where it is absent or empty';

CREATE FUNCTION workflow_track.hl7v2_values(message workflow_track.hl7v2, path text) RETURNS SETOF text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_values(workflow_track.hl7v2, text) IS
'everything that a path leads to: of all segments and repetitions where it names none';

CREATE FUNCTION workflow_track.hl7v2_segments(message workflow_track.hl7v2)
RETURNS TABLE ("position" integer, name text, content text)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 15 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_segments(workflow_track.hl7v2) IS 'the segments of a message, as they were sent';

CREATE FUNCTION workflow_track.hl7v2_ack(message workflow_track.hl7v2, code text, text text DEFAULT NULL)
RETURNS workflow_track.hl7v2
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.hl7v2_ack(workflow_track.hl7v2, text, text) IS
'the acknowledgement of a message, in its sender''s version: AA, AE or AR, or CA, CE or CR in enhanced mode, with a text that says why';
