-- Compares what was reported with what was put in.

SET timezone = 'UTC';

\echo
\echo '== Was all of it found?'
\echo 'The simulator knows what it put in. Each thing reported is compared with that, by patient and number.'
SELECT * FROM demo.score ORDER BY report, what;

DO $$
DECLARE
	total record;
BEGIN
	SELECT sum(s.put_in) AS put_in, sum(s.found) AS found, sum(s.false_alarms) AS false_alarms INTO total FROM demo.score s;
	IF total.put_in <> total.found OR total.false_alarms <> 0 THEN
		RAISE EXCEPTION '% faults put in, % found, % false alarms', total.put_in, total.found, total.false_alarms;
	END IF;
END
$$;
SELECT format('%s faults put in, %s found; %s look-alikes put in, none reported.', sum(put_in), sum(found),
	(SELECT count(*) FROM demo.visit JOIN demo.trouble USING (trouble) WHERE report IS NULL)) AS line FROM demo.score \gset
\echo :line
