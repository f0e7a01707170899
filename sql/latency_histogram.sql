CREATE EXTENSION workflow_track;
SET search_path = workflow_track, public;
SET intervalstyle = postgres;

-- Text.

SELECT 'v1 sum=0'::latency_histogram AS empty,
	'v1 sum=3600000000 1691:1'::latency_histogram AS an_hour,
	'v1 sum=-5 -7:1 0:2 2:1'::latency_histogram AS signs,
	'v1 sum=-1'::latency_histogram AS rest_of_a_difference;
SELECT 'v1 sum=85070591730234615865843651857942052863 -3711:-9223372036854775807 3711:9223372036854775807'::latency_histogram AS limits;
SELECT ''::latency_histogram;
SELECT 'v2 sum=0'::latency_histogram;
SELECT ' v1 sum=0'::latency_histogram;
SELECT 'v1 sum='::latency_histogram;
SELECT 'v1 sum=+1'::latency_histogram;
SELECT 'v1 sum=-0'::latency_histogram;
SELECT 'v1 sum=01'::latency_histogram;
SELECT 'v1 sum=85070591730234615865843651857942052864'::latency_histogram;
SELECT 'v1 sum=999999999999999999999999999999999999999999'::latency_histogram;
SELECT 'v1 sum=0 '::latency_histogram;
SELECT 'v1 sum=0,1:1'::latency_histogram;
SELECT 'v1 sum=0  1:1'::latency_histogram;
SELECT 'v1 sum=0 3712:1'::latency_histogram;
SELECT 'v1 sum=0 -3712:1'::latency_histogram;
SELECT 'v1 sum=0 1'::latency_histogram;
SELECT 'v1 sum=0 1:'::latency_histogram;
SELECT 'v1 sum=0 1:0'::latency_histogram;
SELECT 'v1 sum=0 1:9223372036854775808'::latency_histogram;
SELECT 'v1 sum=0 1:-9223372036854775808'::latency_histogram;
SELECT 'v1 sum=0 2:1 1:1'::latency_histogram;
SELECT 'v1 sum=0 1:1 1:1'::latency_histogram;
SELECT 'v1 sum=0 1:1;'::latency_histogram;

-- Edges of the buckets: one sample is known exactly, two are in their buckets.

SELECT d, latency_histogram(d), quantile(latency_histogram(d), 0.5) = d AS exact,
	pg_column_size(latency_histogram(d)) AS bytes
FROM unnest(ARRAY['0', '1 us', '63 us', '64 us', '65 us', '127 us', '128 us', '129 us', '130 us', '255 us', '256 us',
	'1 s', '1 day', '1 month', '100 years', '290000 years', '-1 us', '-128 us', '-100 years']::interval[]) AS d
GROUP BY d ORDER BY d;
SELECT d, quantile(h + h, 0.5) AS of_two, pg_column_size(h + h) AS bytes, pg_column_size(h + h + 'v1 sum=1 1:1') AS bytes_of_three
FROM (SELECT d, latency_histogram(d) AS h
	FROM unnest(ARRAY['127 us', '128 us', '129 us', '130 us', '1 hour', '100 years', '-1 hour']::interval[]) AS d
	GROUP BY d) AS one
ORDER BY d;
SELECT latency_histogram(d) FROM (VALUES (interval '9223372036854775807 us'), ('-9223372036854775807 us')) AS limits (d);
SELECT latency_histogram(interval '-9223372036854775807 us' - interval '1 us');
SELECT latency_histogram(interval '300000 years');
SELECT latency_histogram(interval '-300000 years');
SELECT latency_histogram(make_interval(months => 2147483647));

-- No input, and null input.

SELECT latency_histogram(d) IS NULL AS none FROM (SELECT interval '1 s' WHERE false) AS empty (d);
SELECT latency_histogram(d) IS NULL AS only_null FROM (VALUES (NULL::interval), (NULL)) AS samples (d);
SELECT sample_count(latency_histogram(d)) FROM (VALUES (NULL::interval), ('1 s'), (NULL)) AS samples (d);
SELECT merge(h) IS NULL AS none FROM (SELECT 'v1 sum=0'::latency_histogram WHERE false) AS empty (h);
SELECT merge(h) FROM (VALUES (NULL::latency_histogram), ('v1 sum=0')) AS empty (h);

-- Accuracy: within 1 % of percentile_cont, whatever the distribution; the mean is exact.

CREATE TABLE sample (distribution text, i int, usecs bigint, d interval);
INSERT INTO sample (distribution, i, usecs)
SELECT distribution, i, usecs
FROM generate_series(0, 9999) AS i, LATERAL (SELECT i * 7919 % 100003 AS x) AS x,
	LATERAL (VALUES
		('uniform', x * 1000::bigint),
		('below 128 us', x % 128),
		('long tail', 1000000000000000 / (1 + x)),
		('every octave', (1::bigint << x % 51) + x % 13),
		('two humps', CASE WHEN i % 3 = 0 THEN 172800000000 + x * 1000000::bigint ELSE 30000000 + x * 100 END),
		('one value', 1800000000),
		('centuries', 3110400000000000 / (1 + x % 10)),
		('minutes', (1 + x % 240) * 60000000::bigint),
		('negative', - x * 1000::bigint - 1),
		('both signs', (x - 40000) * 1000::bigint)) AS v (distribution, usecs);
UPDATE sample SET d = usecs * interval '1 microsecond';
VACUUM ANALYZE sample;

CREATE TABLE histogram AS
SELECT distribution, latency_histogram(d) AS h FROM sample GROUP BY distribution;
VACUUM ANALYZE histogram;

CREATE TABLE fraction AS
SELECT ARRAY[0, 0.0001, 0.001, 0.01, 0.05, 0.1, 0.25, 0.333, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1] AS p;
VACUUM ANALYZE fraction;

SELECT distribution, count(*),
	round(100 * max(abs(a - e) / nullif(abs(e), 0)), 2) AS "worst, %",
	bool_and(abs(a - e) <= 0.01 * abs(e)) AS ok
FROM (
	SELECT distribution, unnest(quantiles(h, p)) AS approximate, unnest(exact) AS exact
	FROM histogram, fraction, LATERAL (
		SELECT percentile_cont(p) WITHIN GROUP (ORDER BY d) AS exact
		FROM sample WHERE sample.distribution = histogram.distribution) AS p) AS pair,
	LATERAL (SELECT extract(epoch FROM approximate), extract(epoch FROM exact)) AS seconds (a, e)
GROUP BY distribution ORDER BY distribution;

-- Where microseconds are coarse, rounding must not add to the error.
SELECT count(*) AS quantiles,
	count(*) FILTER (WHERE abs(a - e) > 0.01 * e) AS wrong
FROM (
	SELECT unnest(quantiles(latency_histogram(d), p)) AS approximate, unnest(percentile_cont(p) WITHIN GROUP (ORDER BY d)) AS exact
	FROM generate_series(120, 600) AS start, generate_series(0, 5) AS gap,
		LATERAL (VALUES (start * interval '1 us'), ((start + gap) * interval '1 us')) AS two (d),
		LATERAL (SELECT ARRAY[0, 0.1, 0.2, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1] AS p) AS fraction
	GROUP BY start, gap, p) AS pair,
	LATERAL (SELECT extract(epoch FROM approximate), extract(epoch FROM exact)) AS seconds (a, e);

SELECT distribution, sample_count(h), mean(h),
	extract(epoch FROM mean(h)) * 1000000 = round(avg(usecs)) AS mean_exact,
	abs(extract(epoch FROM shortest(h)) * 1000000 - min(usecs)) <= 0.01 * abs(min(usecs)) AS shortest_ok,
	abs(extract(epoch FROM longest(h)) * 1000000 - max(usecs)) <= 0.01 * abs(max(usecs)) AS longest_ok
FROM sample JOIN histogram USING (distribution)
GROUP BY distribution, h ORDER BY distribution;

-- Few samples interpolate like percentile_cont.
SELECT p, quantile(h, p), exact
FROM (VALUES (0), (0.1), (0.25), (1 / 3::float8), (0.5), (0.9), (1)) AS f (p),
	LATERAL (SELECT latency_histogram(d) AS h, percentile_cont(p) WITHIN GROUP (ORDER BY d) AS exact
		FROM (VALUES (interval '10 us'), ('20 us'), ('110 us')) AS s (d)) AS few;
-- The ends of the range, between which a fraction of the way is many years.
SELECT quantile('v1 sum=0 -3711:1 3711:1', 0.5) AS middle, quantile('v1 sum=0 -3711:1 3711:1', 1e-12) AS near_the_start;
-- As many samples as there can be.
SELECT quantiles('v1 sum=9223372036854775807 0:4611686018427387903 2:4611686018427387904', '{0,0.49,0.51,1}') AS q,
	mean('v1 sum=9223372036854775807 0:4611686018427387903 2:4611686018427387904');

-- Means round halves away from zero.
SELECT mean('v1 sum=5 2:1 3:1'), mean('v1 sum=-5 -3:1 -2:1') AS negative, mean('v1 sum=4 1:2 2:1') AS down, mean('v1 sum=5 1:1 2:2') AS up;

-- Days and months count as in comparisons; results have hours.
SELECT h, longest(h), mean(h) FROM (SELECT latency_histogram(interval '1 month -2 days +2 hours') AS h) AS s;

-- Fractions, arrays of them, and an empty histogram.

SELECT quantile('v1 sum=1 1:1', -0.1);
SELECT quantile('v1 sum=1 1:1', 1.1);
SELECT quantile('v1 sum=1 1:1', 'NaN');
SELECT quantiles('v1 sum=1 1:1', '{0.5,2}');
SELECT quantiles('v1 sum=3 1:1 2:1', '{{0,NULL},{0.5,1}}'), quantiles('v1 sum=3 1:1 2:1', '[5:6]={0,1}') AS bounds,
	quantiles('v1 sum=3 1:1 2:1', '{}') AS none, quantiles('v1 sum=3 1:1 2:1', NULL) IS NULL AS null;
SELECT sample_count(h), mean(h), shortest(h), longest(h), quantile(h, 0.5), quantiles(h, '{0.5}')
FROM (VALUES ('v1 sum=0'::latency_histogram), ('v1 sum=7')) AS empty (h);

-- The order of samples and of merging plays no part.

SELECT count(*) AS distributions, bool_and(up = h) AS up, bool_and(down = h) AS down, bool_and(mixed = h) AS mixed
FROM (
	SELECT distribution, latency_histogram(d ORDER BY usecs) AS up, latency_histogram(d ORDER BY usecs DESC) AS down,
		latency_histogram(d ORDER BY i * 31 % 10007) AS mixed
	FROM sample GROUP BY distribution) AS s JOIN histogram USING (distribution);

CREATE TABLE part AS
SELECT distribution, i % 1000 AS part, latency_histogram(d) AS h FROM sample GROUP BY 1, 2;
VACUUM ANALYZE part;

SELECT bool_and(merged = h) AS merged, bool_and(backwards = h) AS backwards, bool_and(twice = h) AS twice
FROM histogram JOIN (
	SELECT distribution, merge(h ORDER BY part) AS merged, merge(h ORDER BY part DESC) AS backwards FROM part GROUP BY 1) AS a USING (distribution)
JOIN (
	SELECT distribution, merge(h) AS twice
	FROM (SELECT distribution, merge(h) AS h FROM part GROUP BY distribution, part % 7) AS m GROUP BY 1) AS b USING (distribution);

SELECT bool_and((a.h + b.h) + c.h = a.h + (b.h + c.h)) AS associative, bool_and(a.h + b.h = b.h + a.h) AS commutative,
	bool_and(a.h + 'v1 sum=0' = a.h) AS neutral, bool_and(a.h + b.h - b.h = a.h) AS undone,
	bool_and(a.h - b.h + b.h = a.h) AS redone, bool_and(a.h - (b.h - a.h) = a.h + a.h - b.h) AS signs,
	bool_and(sample_count(a.h - b.h - c.h) = -10000) AS counts
FROM histogram AS a, histogram AS b, histogram AS c;
SELECT bool_and(h - h = 'v1 sum=0') AS nothing_left FROM histogram;
SELECT a - b AS rest, a - b + b = a AS redone, b - a + a = b AS and_back
FROM (VALUES ('v1 sum=128 128:1'::latency_histogram, 'v1 sum=129 128:1'::latency_histogram), ('v1 sum=5 2:1 3:1', 'v1 sum=11 3:1 4:2')) AS v (a, b);

-- A difference with negative counts cannot be asked, but counted.

SELECT sample_count('v1 sum=-1 -1:1 2:-3');
SELECT quantile('v1 sum=-1 1:-1', 0.5);
SELECT quantiles('v1 sum=-1 1:-1', '{}');
SELECT mean('v1 sum=-1 1:-1');
SELECT shortest('v1 sum=1 1:-1 2:1');
SELECT longest('v1 sum=1 1:-1 2:1');

-- Overflow.

SELECT 'v1 sum=0 1:9223372036854775807'::latency_histogram + 'v1 sum=1 1:1';
SELECT 'v1 sum=0 1:-9223372036854775807'::latency_histogram - 'v1 sum=1 1:1';
SELECT 'v1 sum=85070591730234615865843651857942052863'::latency_histogram + 'v1 sum=1 1:1';
SELECT merge(h) FROM (VALUES ('v1 sum=0 1:9223372036854775807'::latency_histogram), ('v1 sum=1 1:1')) AS s (h);
SELECT merge(h) FROM (VALUES ('v1 sum=-85070591730234615865843651857942052863'::latency_histogram), ('v1 sum=-1 -1:1')) AS s (h);
SELECT sample_count('v1 sum=0 1:9223372036854775807 2:1');
SELECT sample_count('v1 sum=0 1:9223372036854775807 2:1 3:-1');
SELECT quantile('v1 sum=0 1:9223372036854775807 2:1', 0.5);
SELECT mean('v1 sum=85070591730234615865843651857942052863 1:1');

-- Parallel plans give the same.

SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT latency_histogram(d) FROM sample;
EXPLAIN (COSTS OFF) SELECT merge(h) FROM part;
SELECT latency_histogram(d) = (SELECT merge(h) FROM histogram) AS same FROM sample;
SELECT merge(h) = (SELECT merge(h) FROM histogram) AS same FROM part;
SELECT bool_and(a.h = b.h) AS same
FROM (SELECT distribution, latency_histogram(d) AS h FROM sample GROUP BY 1) AS a JOIN histogram AS b USING (distribution);
SELECT latency_histogram(d) IS NULL AS none FROM sample WHERE usecs = 7777777777777;
SELECT latency_histogram(d) FROM sample WHERE usecs = -1;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_tuple_cost;
RESET parallel_setup_cost;

-- As window functions, with frames that grow and frames that move.

CREATE TABLE hour AS
SELECT i AS hour, CASE WHEN i % 11 NOT IN (4, 5, 6, 7) THEN latency_histogram(d) END AS h,
	CASE WHEN i % 11 NOT IN (4, 5, 6, 7) THEN max(d) END AS d
FROM sample WHERE i < 60 GROUP BY i;

SELECT count(*) AS hours, count(moving) AS with_input,
	bool_and(grown IS NOT DISTINCT FROM (SELECT merge(b.h) FROM hour AS b WHERE b.hour <= a.hour)) AS grown,
	bool_and(moving IS NOT DISTINCT FROM (SELECT merge(b.h) FROM hour AS b WHERE b.hour BETWEEN a.hour - 2 AND a.hour)) AS moving,
	bool_and(samples IS NOT DISTINCT FROM (SELECT latency_histogram(b.d) FROM hour AS b WHERE b.hour BETWEEN a.hour - 2 AND a.hour)) AS samples
FROM (
	SELECT hour, merge(h) OVER (ORDER BY hour) AS grown,
		merge(h) OVER w AS moving, latency_histogram(d) OVER w AS samples
	FROM hour WINDOW w AS (ORDER BY hour ROWS 2 PRECEDING)) AS a;

-- Equality, hashing.

SELECT count(*), count(DISTINCT h::text) FROM part;
SELECT count(*) FROM (SELECT DISTINCT h FROM part) AS s;
SELECT count(*) FROM (SELECT h FROM part EXCEPT SELECT h FROM part WHERE distribution <> 'long tail') AS s;
SELECT h = h AS eq, h <> h AS ne, h = h + 'v1 sum=0 1:1' AS other_eq, h <> h + 'v1 sum=0 1:1' AS other_ne,
	latency_histogram_hash(h) = latency_histogram_hash(h + 'v1 sum=0') AS hash,
	latency_histogram_hash_extended(h, 0)::bit(32) = latency_histogram_hash(h)::bit(32) AS extended,
	latency_histogram_hash_extended(h, 1) <> latency_histogram_hash_extended(h, 0) AS seed
FROM histogram WHERE distribution = 'every octave';
SET enable_mergejoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT FROM histogram AS a JOIN histogram AS b USING (h);
SELECT count(*) FROM histogram AS a JOIN histogram AS b USING (h);
RESET enable_mergejoin;
RESET enable_nestloop;

-- Text and binary round trips, with values that are stored out of line.

CREATE TABLE copied (distribution text, h latency_histogram);
INSERT INTO copied SELECT distribution, h::text::latency_histogram FROM histogram;
SELECT count(*) FROM histogram JOIN copied USING (distribution, h);
\getenv builddir PG_ABS_BUILDDIR
\set file :builddir /results/latency_histogram.bin
TRUNCATE copied;
COPY (SELECT distribution, h FROM histogram
	UNION ALL VALUES ('empty', 'v1 sum=0'::latency_histogram), ('difference', 'v1 sum=-1 -3711:-9223372036854775807 0:2 3711:1'))
	TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);
SELECT count(*) FROM histogram JOIN copied USING (distribution, h);
SELECT * FROM copied WHERE distribution IN ('empty', 'difference');
SELECT latency_histogram_send('v1 sum=-2 -2:1');

-- What is no histogram is refused.  A bytea travels as its bytes.

COPY (SELECT '\x01ffffffffffffffff fffffffffffffffe 00000001 fffe 0000000000000001'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
SELECT h FROM copied WHERE distribution IS NULL;
-- version
COPY (SELECT '\x02 0000000000000000 0000000000000000 00000000'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
-- sum
COPY (SELECT '\x01 4000000000000000 0000000000000000 00000000'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
COPY (SELECT '\x01 8000000000000000 0000000000000000 00000000'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
-- number of buckets
COPY (SELECT '\x01 0000000000000000 0000000000000000 ffffffff'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
COPY (SELECT '\x01 0000000000000000 0000000000000000 00010000'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
-- bucket
COPY (SELECT '\x01 0000000000000000 0000000000000000 00000001 0e80 0000000000000001'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
-- order
COPY (SELECT '\x01 0000000000000000 0000000000000000 00000002 0001 0000000000000001 0001 0000000000000001'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
-- counts
COPY (SELECT '\x01 0000000000000000 0000000000000000 00000001 0001 0000000000000000'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
COPY (SELECT '\x01 0000000000000000 0000000000000000 00000001 0001 8000000000000000'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
-- too short, too long
COPY (SELECT '\x01 0000000000000000 0000000000000000 00000001 0001'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);
COPY (SELECT '\x01 0000000000000000 0000000000000000 00000000 00'::bytea) TO :'file' (FORMAT binary);
COPY copied (h) FROM :'file' (FORMAT binary);

-- Stored bytes that are no histogram are reported, not followed.

CREATE CAST (bytea AS latency_histogram) WITHOUT FUNCTION;
SELECT '\x010005020102'::bytea::latency_histogram;
SELECT '\x'::bytea::latency_histogram;
SELECT '\x02'::bytea::latency_histogram;
SELECT '\x01'::bytea::latency_histogram;
SELECT '\x0180'::bytea::latency_histogram;
SELECT '\x01ffffffffffffffffffffffffffffffffffffff00'::bytea::latency_histogram;
SELECT '\x01feffffffffffffffffffffffffffffffffff03'::bytea::latency_histogram;
SELECT '\x010002'::bytea::latency_histogram;
SELECT '\x01000200'::bytea::latency_histogram;
SELECT '\x010002020002'::bytea::latency_histogram;
SELECT '\x0100803a02'::bytea::latency_histogram;
SELECT '\x0100ff3902'::bytea::latency_histogram;
SELECT '\x010002ffffffffffffffffff01'::bytea::latency_histogram;
DROP CAST (bytea AS latency_histogram);

-- Every object has a comment.

SELECT i.type, i.identity
FROM pg_depend AS d, pg_identify_object(d.classid, d.objid, d.objsubid) AS i
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND i.identity ~ 'latency_histogram' AND i.identity !~ 'latency_histogram\[\]$'
	AND obj_description(d.objid, d.classid::regclass::text) IS NULL;
