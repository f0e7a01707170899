# What waits for what, as docs/operate.md has it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

my $node = new_server('main', "max_prepared_transactions = 2\n");

$node->safe_psql('postgres', q(
	CREATE EXTENSION workflow_track;
	SELECT workflow_track.setup();
	CREATE FUNCTION place(patient text, at timestamptz DEFAULT now()) RETURNS bigint LANGUAGE sql
		AS $$ SELECT workflow_track.record_event('order.placed', patient, 'EHR', at, subject => 'o') $$;
	SELECT place('held'), place('other');
));

# A transaction that is recording, one that has detected and is prepared, and one that reads.
my $recording = $node->background_psql('postgres', on_error_stop => 1);
$recording->query_safe(q(BEGIN; SELECT place('recorded');));
$node->safe_psql('postgres', q(BEGIN; SELECT place('held'); PREPARE TRANSACTION 'held';));
my $reading = $node->background_psql('postgres', on_error_stop => 1);
$reading->query_safe('BEGIN; SELECT count(*) FROM workflow_track.event_history; SELECT count(*) FROM workflow_track.handoff_latency;');

passes(q(SELECT place('other')), 'who records for other patients');
passes(q(SELECT place('recorded')), 'who records for a patient of a transaction that has not come to its commit');
waits(q(SELECT place('held')), 'who records for a patient of a prepared transaction');
passes($_, $_) for 'SELECT workflow_track.maintain()', 'SELECT workflow_track.fold_follows()', 'SELECT workflow_track.fold_diary()', 'SELECT workflow_track.fold_handoffs()',
	q(SELECT workflow_track.ensure_partitions(now(), now() + interval '30 months')),
	q(SELECT workflow_track.retract_event(2, 'test')),
	q(INSERT INTO workflow_track.staff (actor, role) VALUES ('a', 'provider'));
waits($_, $_) for q(SELECT workflow_track.ensure_partitions(now() - interval '30 months', now())),
	q(SELECT workflow_track.drop_before(now() - interval '30 months')),
	'SELECT workflow_track.pause_detection()', 'CALL workflow_track.rebuild()';

# catch_up() waits for whoever has detected, and nobody waits for it.
my $catching_up = $node->background_psql('postgres', on_error_stop => 1);
$catching_up->query_until(qr/begun/, "\\echo begun\nCALL workflow_track.catch_up();\n\\echo ended\n");
ok($node->poll_query_until('postgres', q(
	SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'CALL%' AND wait_event_type = 'Lock')), 'catch_up() waits for a prepared transaction');
passes(q(SELECT place('other')), 'who records while it waits');
is($node->safe_psql('postgres', q(SELECT string_agg("check", ', ') FROM workflow_track.health WHERE value <> 'none' AND "check" LIKE '%prepared%')),
	'oldest prepared transaction', 'health tells of the prepared transaction');

$node->safe_psql('postgres', q(COMMIT PREPARED 'held'));
$catching_up->query_until(qr/ended/, '');
$catching_up->quit;
is($node->safe_psql('postgres', 'SELECT count(*) FROM workflow_track.stale_mark'), 0, 'then it goes on');
passes(q(SELECT place('held')), 'who records for the patient then');
$recording->query_safe('COMMIT');
$reading->query_safe('COMMIT');
passes($_, "$_, when nobody is in the way") for q(SELECT workflow_track.ensure_partitions(now() - interval '30 months', now())),
	'SELECT workflow_track.pause_detection()';

# However many patients, the number of locks is bounded.
$node->safe_psql('postgres', 'SELECT workflow_track.resume_detection()');
$node->safe_psql('postgres', q(BEGIN; SELECT count(place('many' || n)) FROM generate_series(1, 5000) n; PREPARE TRANSACTION 'many';));
my $locks = $node->safe_psql('postgres', 'SELECT count(*) FROM pg_locks WHERE pid IS NULL');
note("a transaction of 5,000 patients holds $locks locks");
cmp_ok($locks, '<', 1300, 'a transaction of very many patients does not take very many locks');

$_->quit for $recording, $reading;
done_testing();

# Runs a statement that is given little time to wait for locks.
sub with_little_time
{
	my ($sql) = @_;
	my $error;

	return $node->psql('postgres', "SET lock_timeout = '2s'; $sql", stderr => \$error) ? $error : '';
}

# Passes if a statement need not wait for a lock.
sub passes
{
	my ($sql, $name) = @_;

	is(with_little_time($sql), '', "does not wait: $name");
}

# Passes if a statement has to wait for a lock.
sub waits
{
	my ($sql, $name) = @_;

	like(with_little_time($sql), qr/canceling statement due to lock timeout/, "waits: $name");
}
