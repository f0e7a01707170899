# What fails leaves nothing behind: no memory, no locks, no snapshots, and no plans.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

my $rounds = $ENV{WT_LONG} ? 3000 : 150;    # of each of three ways to fail

# Each line of the log begins with its SQLSTATE.
my $node = new_server('main', <<CONF);
max_prepared_transactions = 2
autovacuum = off
log_line_prefix = '%e|'
log_min_error_statement = panic
log_min_messages = warning
CONF

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();
SELECT workflow_track.define_workflow('{"workflow": "entries", "version": 1, "state": "current", "duplicates": [
 {"name": "given once", "kind": "immunization.administered", "same": ["code"], "different": ["source_system"], "within": "1 hour", "action": "reject"}]}');
CREATE FUNCTION give(patient text, system text, at interval DEFAULT '0') RETURNS bigint LANGUAGE sql AS $$
	SELECT workflow_track.record_event('immunization.administered', patient, system, date_trunc('day', now()) - interval '1 day' + at, code => 'cvx|140')
$$;
SELECT give('given', 'EHR'), give('survivor', 'EHR');
-- Fails unless a statement does as it is expected to, in a subtransaction.
CREATE FUNCTION fails(statement text, expected text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN others OR query_canceled THEN
		IF SQLSTATE = expected THEN
			RETURN;
		END IF;
		RAISE;
	END;
	RAISE 'nothing failed: %', statement;
END
$$;
SQL

# A prepared transaction holds the lock of a patient.
$node->safe_psql('postgres', q(BEGIN; SELECT give('held', 'EHR'); PREPARE TRANSACTION 'held'));

# What fails, by its SQLSTATE.
my $map = '"workflow": "w", "version": 1, "state": "draft"';
my $message = q(E'MSH|^~\\\\&|EHR|NORTH|||20260101||ADT^A01|1|P|2.5\rPID|1||P');
my @failing = (
	# events
	[ '23503', q(SELECT workflow_track.record_event('data.enterd', 'p', 'EHR', now())) ],
	[ '23502', q(SELECT workflow_track.record_event('data.entered', NULL, 'EHR', now())) ],
	[ '22P02', q(SELECT workflow_track.record_event('data.entered', 'p', 'EHR', now(), code => 'loinc|2345-8')) ],
	[ '22008', q(SELECT workflow_track.record_event('data.entered', 'p', 'EHR', now() + interval '30 years')) ],
	[ '23514', q(INSERT INTO workflow_track.event (kind, patient_id, occurred_at) VALUES ('data.entered', 'p', now()), ('data.entered', '', now())) ],
	[ '0A000', q(UPDATE workflow_track.event SET patient_id = 'x' WHERE patient_id = 'given') ],
	[ 'P0002', q(SELECT workflow_track.retract_event(-1, 'r')) ],
	# an entry that a rule refuses
	[ 'WT001', q(SELECT give('given', 'PMS', '10 minutes')) ],
	# maps
	[ '22023', qq(SELECT workflow_track.define_workflow('{$map, "steps": [{"step": "s", "kind": "order.plced"}]}')) ],
	[ '22023', qq(SELECT workflow_track.define_workflow('{$map, "stops": []}')) ],
	[ '22P02', q(SELECT workflow_track.define_workflow('{"workflow"')) ],
	[ '42704', q(SELECT workflow_track.set_workflow_state('none', 1, 'current')) ],
	# messages and their rules
	[ '22P02', q(SELECT 'MSH|^'::workflow_track.hl7v2) ],
	[ '22023', qq(SELECT workflow_track.hl7v2_first($message, 'PID-')) ],
	[ '22023', q(INSERT INTO workflow_track.hl7v2_mapping (name, message, kind) VALUES ('m', '{ADT^A01}', 'PID-')) ],
	[ '22023', q(INSERT INTO workflow_track.hl7v2_mapping (name, message, kind) VALUES ('m', '{ADT}', $$'no.kind'$$)) ],
	[ 'P0002', q(SELECT workflow_track.reprocess(-1)) ],
	[ '22012', qq(INSERT INTO workflow_track.inbox (body) VALUES ($message); SELECT 1 / 0) ],
	# types and reports
	[ '22P02', q(SELECT 'v1 sum=0 2:1 1:1'::workflow_track.latency_histogram) ],
	[ '22003', q(SELECT workflow_track.quantile('v1 sum=1 1:1', 2)) ],
	[ '42704', q(SELECT * FROM workflow_track.conformance('none', 1)) ],
	[ '22012', q(SELECT 1 / count(*) FROM workflow_track.care_loop WHERE patient_id = 'none') ],
	# the rest of a transaction
	[ '22012', q(SELECT give('gone', 'EHR'); SELECT 1 / 0) ],
	[ '23505', q(INSERT INTO workflow_track.staff (actor, role) VALUES ('a', 'nurse'); INSERT INTO workflow_track.event_kind SELECT * FROM workflow_track.event_kind) ],
	[ '22023', q(SELECT workflow_track.drop_before(now() + interval '1 day')) ],
	# cancelled
	[ '57014', q(SELECT give('cancelled', 'EHR'); SELECT pg_cancel_backend(pg_backend_pid()); SELECT count(*) FROM workflow_track.care_loop, pg_class, pg_class AS more) ],
);

# What fails at the commit only: a merge shows that an entry is one to refuse, and the prepared transaction is in the way.
my @failing_at_commit = (
	[ 'WT001', q(SELECT give('merged', 'PMS', '10 minutes'), workflow_track.record_event('patient.merged', 'survivor', 'EHR', now(), subject => 'merged')) ],
	[ '55P03', q(SET LOCAL lock_timeout = '1ms'; SELECT give('held', 'PMS', '2 hours')) ],
);
my %expected;
$expected{ $_->[0] } += 2 * $rounds for @failing;    # what fails in a function is not logged
$expected{ $_->[0] } += $rounds for @failing_at_commit;

# Every statement fails in a transaction of its own, in a function that catches the error, and after a savepoint; a
# transaction in which that happens records something.
my $round = PostgreSQL::Test::Utils::tempdir . '/round.sql';
my $kept = q(BEGIN; SELECT workflow_track.record_event('data.entered', 'kept', 'EHR', now()););
append_to_file($round, join '', map { "$_\n" } (map { one_query($_->[1]) } @failing, @failing_at_commit),
	$kept, (map { "SELECT fails(\$x\$$_->[1]\$x\$, '$_->[0]');" } @failing), 'COMMIT;',
	$kept, (map { 'SAVEPOINT s; ' . one_query($_->[1]) . ' ROLLBACK TO s;' } @failing), 'COMMIT;');

my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->set_query_timer_restart;
my $pid = $session->query("\\set VERBOSITY sqlstate\nSELECT pg_backend_pid()");

# Before what is measured, a few rounds fill the caches.
fail_all_ways(5);
my $log = -s $node->logfile;
my %before = kept_by_session();
fail_all_ways($rounds);
my %after = kept_by_session();

# The log tells what failed, and whatever else the server has to complain of.
my (%failed, @complaints);
for my $line (split /\n/, slurp_file($node->logfile, $log))
{
	my ($sqlstate, $level) = $line =~ /^(\w{5})\|(\w+): / or next;

	$failed{$sqlstate}++ if $level eq 'ERROR';
	push @complaints, $line if $level =~ /^(WARNING|FATAL|PANIC)$/ || $sqlstate =~ /^XX/;
}
is_deeply(\%failed, \%expected, 'every statement fails as it should, ' . $rounds * (3 * @failing + @failing_at_commit) . ' in all') or diag(explain(\%failed));
is(join("\n", grep { defined } @complaints[ 0 .. 9 ]), '', 'the server complains of no leak');

diag("kept before: @{[ map { qq($_ $before{$_}) } sort keys %before ]}");
diag("kept after: @{[ map { qq($_ $after{$_}) } sort keys %after ]}");
cmp_ok($after{bytes} - $before{bytes}, '<', 64 * 1024, 'memory does not grow');
is($after{contexts}, $before{contexts}, 'nor the number of contexts');
is($after{plans}, $before{plans}, 'nor that of plans');
is($after{locks}, 'relation,virtualxid', 'no lock is left');
is($node->safe_psql('postgres', "SELECT state, backend_xid, backend_xmin FROM pg_stat_activity WHERE pid = $pid"), 'idle||',
	'no snapshot is left');
is($node->safe_psql('postgres', q(SELECT DISTINCT patient_id FROM workflow_track.event ORDER BY 1)), "given\nkept\nsurvivor",
	'nothing is left of what failed');
is($session->query(q(SELECT give('given', 'PMS', '2 hours') > 0)), 't', 'the session goes on to record');
$session->quit;
$node->safe_psql('postgres', q(ROLLBACK PREPARED 'held'));

done_testing();

# Has the session do the round so many times, five at once.
sub fail_all_ways
{
	my ($times) = @_;

	for (my $done = 0; $done < $times; $done += 5)
	{
		$session->query("\\o /dev/null\n" . "\\i $round\n" x 5 . '\o');
	}
	return;
}

# Statements as one query, which is a transaction where none was begun.
sub one_query
{
	my ($sql) = @_;

	return ($sql =~ s/; /\\; /gr) . ';';
}

# What the session keeps.
sub kept_by_session
{
	return split /\|/, $session->query(q(
		SELECT 'bytes', sum(total_bytes), 'contexts', count(*), 'plans', count(*) FILTER (WHERE name LIKE 'CachedPlan%'),
			'locks', (SELECT string_agg(DISTINCT locktype, ',' ORDER BY locktype) FROM pg_locks WHERE pid = pg_backend_pid())
		FROM pg_backend_memory_contexts));
}
