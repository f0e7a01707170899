# Copies taken while a load goes on: pg_basebackup, recovery to a moment and to a name, a standby that is promoted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

my $primary = new_server('primary', "wal_level = replica\n", has_archiving => 1, allows_streaming => 1);
hospital($primary, 'hospital');
$primary->safe_psql('hospital', 'CALL workflow_track.catch_up(); SELECT workflow_track.maintain();');

# Sessions that record until they are told to stop: five events a transaction, of which two loops and a duplicate come.
my $script = PostgreSQL::Test::Utils::tempdir . '/load.pgbench';
append_to_file($script, <<'EOF_LOAD');
\set patient random(1, 40)
\set n random(1, 1000000000)
BEGIN;
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, item, code, value, severity, source_system, actor, recipient, entry_method)
	SELECT k.kind, date_trunc('month', now(), 'UTC') - interval '20 days' + :n % 20000 * interval '1 minute' + k.n * interval '1 minute', 'north', 'p' || :patient, 'w' || :n % 100, 's' || :n, 'r',
		'local:vitals|WEIGHT', 'x' || :n, 'critical', k.system, 'dr1', 'gone', 'manual'
	FROM (VALUES (1, 'order.placed', 'EHR'), (2, 'result.final', 'LIS'), (3, 'result.acknowledged', 'EHR'), (4, 'data.entered', 'EHR'), (5, 'data.entered', 'PMS')) k (n, kind, system);
COMMIT;
EOF_LOAD
my $out = '';
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', '3', '-T', '600', '--max-tries=100', '-f', $script, $primary->connstr('hospital') ], '>&', \$out);
loaded(100);

$primary->backup('plain');

# Two moments: what the reports were then, and how recovery is told to stop there.
my %then;
for my $name (qw(named timed))
{
	loaded(100);
	# Nothing is committed between the reports and the mark.
	my $hold = $primary->background_psql('hospital', on_error_stop => 1);
	$hold->query_safe('BEGIN; SELECT workflow_track.exclude_detection();');
	$then{$name} = { kept => state_of($primary), target => $name eq 'named'
		? $primary->safe_psql('hospital', q(SELECT pg_create_restore_point('named') IS NOT NULL)) && 'named'
		: $primary->safe_psql('hospital', 'SELECT pg_sleep(0.05); SELECT clock_timestamp()') =~ s/\s//r };
	$primary->safe_psql('hospital', 'SELECT pg_sleep(0.05)');
	$hold->query_safe('COMMIT');
	$hold->quit;
}
loaded(100);

# A standby answers everything while the primary is written to, and goes on by itself once it is promoted.
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'plain', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\narchive_mode = off\n");
$standby->start;
for my $view (split /\n/, $primary->safe_psql('hospital', q(
	SELECT 'workflow_track.' || relname FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind = 'v' AND relname <> 'inbox'
	UNION ALL SELECT format('workflow_track.%s(now())', proname) FROM pg_proc WHERE pronamespace = 'workflow_track'::regnamespace AND proname LIKE '%\_at' AND proretset
	ORDER BY 1)))
{
	my $error;
	is($standby->psql('hospital', "SELECT count(*) FROM $view", stderr => \$error), 0, "a standby answers $view") or diag($error);
}
is($standby->safe_psql('hospital', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'what a standby holds is what the definitions say, in the midst of a load');

$load->kill_kill;
ok($primary->safe_psql('hospital', 'SELECT count(*) FROM workflow_track.event') > 1000, 'events were recorded meanwhile');
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
$primary->wait_for_catchup($standby);
same(state_of($standby), state_of($primary), 'the standby has all that the primary has');
$standby->promote;
$standby->safe_psql('hospital', q(SELECT workflow_track.record_event('result.final', 'after promotion', 'LIS', now() - interval '9 days', subject => 'x', severity => 'critical')));
is($standby->safe_psql('hospital', q(SELECT count(*) FROM workflow_track.care_loop WHERE patient_id = 'after promotion' AND status = 'overdue')), 2, 'what is recorded after promotion is found');
consistent($standby, 'after promotion');
$standby->stop;

# A server made of the backup alone, and recovery to the moments.
for my $name (qw(named timed))
{
	my $copy = PostgreSQL::Test::Cluster->new("to_$name");
	my $setting = $name eq 'named' ? 'recovery_target_name' : 'recovery_target_time';

	$copy->init_from_backup($primary, 'plain', has_restoring => 1);
	$copy->append_conf('postgresql.conf', "$setting = '$then{$name}{target}'\nrecovery_target_action = 'promote'\narchive_mode = off\n");
	$copy->start;
	$copy->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	same(state_of($copy), $then{$name}{kept}, "recovery to a $name moment gives what there was");
	consistent($copy, "after recovery to a $name moment");
	$copy->stop;
}
$primary->stop;

done_testing();

# Waits until so many transactions more are there.
sub loaded
{
	my ($transactions) = @_;
	my $events = $primary->safe_psql('hospital', 'SELECT count(*) FROM workflow_track.event');

	$primary->poll_query_until('hospital', "SELECT count(*) >= $events + 5 * $transactions FROM workflow_track.event");
}

# What is recorded and what is found.
sub state_of
{
	my ($node) = @_;

	return rows($node) . "\n" . kept($node, 'hospital');
}

# Every event.
sub rows { return WorkflowTrack::rows($_[0], 'hospital', 'workflow_track.event') }

# Passes if what is kept is what the definitions say, and a rebuild changes nothing.
sub consistent
{
	my ($node, $when) = @_;
	my $kept = kept($node, 'hospital');

	is($node->safe_psql('hospital', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, "what is kept is what the definitions say $when");
	$node->safe_psql('hospital', 'CALL workflow_track.rebuild()');
	same(kept($node, 'hospital'), $kept, "rebuild() changes nothing $when");
}
