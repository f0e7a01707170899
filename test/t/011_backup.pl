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

my $primary = new_server('primary', "wal_level = replica\ntrack_functions = pl\n", has_archiving => 1, allows_streaming => 1);
hospital($primary, 'hospital');
$primary->safe_psql('hospital', 'CALL workflow_track.catch_up(); SELECT workflow_track.maintain();');

# What sessions do until they are told to stop, and how often: five events a transaction, of which two loops and a duplicate come;
# neighbours are merged, what was recorded is retracted, merges too; messages come, some unreadable, some again; rollups are seen to.
# Those of the last three take turns with whoever takes their lock alone.
my $turn = "BEGIN;\nSELECT pg_advisory_xact_lock_shared(1);\n";
my %scripts = (
	events => [ 12, <<'EOF_EVENTS' ],
\set patient random(1, 40)
\set n random(1, 1000000000)
BEGIN;
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, item, code, value, severity, source_system, actor, recipient, entry_method)
	SELECT k.kind, date_trunc('month', now(), 'UTC') - interval '20 days' + :n % 20000 * interval '1 minute' + k.n * interval '1 minute', 'north', 'p' || :patient, 'w' || :n % 100, 's' || :n, 'r',
		'local:vitals|WEIGHT', 'x' || :n, 'critical', k.system, 'dr1', 'gone', 'manual'
	FROM (VALUES (1, 'order.placed', 'EHR'), (2, 'result.final', 'LIS'), (3, 'result.acknowledged', 'EHR'), (4, 'data.entered', 'EHR'), (5, 'data.entered', 'PMS')) k (n, kind, system);
COMMIT;
EOF_EVENTS
	links => [ 3, $turn . <<'EOF_LINKS' ],
\set patient random(1, 20)
INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, subject, source_system)
	VALUES ('patient.merged', date_trunc('month', now(), 'UTC') - interval '1 day', 'north', 'p' || 2 * :patient, 'p' || 2 * :patient - 1, 'PMS');
SELECT workflow_track.retract_event(event_id, 'load') FROM (
	SELECT event_id FROM workflow_track.event e
	WHERE (patient_id = 'p' || 2 * :patient AND subject ~ '^s' OR patient_id = 'p' || 42 - 2 * :patient AND kind = 'patient.merged')
		AND NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = e.event_id)
	ORDER BY event_id DESC LIMIT 3) x;
COMMIT;
EOF_LINKS
	messages => [ 4, $turn . <<'EOF_MESSAGES' ],
\set patient random(1, 40)
\set id random(1, 300)
SELECT workflow_track.ingest_hl7v2(format(E'MSH|^~\\&|LIS|north|EHR|north|20240301080000||ORU^R01|%s|P|2.5\rPID|1||p%s\rPV1|1|I|||||||||||||||||w1\rORC|RE|l%s|f%s\r%s|1|l%s|f%s|2345-7^Glucose^LN|||20240301080000||||||||||||||20240301080000|||F\rOBX|1|NM|2345-7^Glucose^LN||300|||HH|||F',
	:id, :patient, :id, :id, CASE WHEN :id % 10 = 0 THEN 'bad!' ELSE 'OBR' END, :id, :id));
COMMIT;
EOF_MESSAGES
	maintain => [ 1, $turn . "SELECT workflow_track.maintain();\nCOMMIT;\n" ]);
my $dir = PostgreSQL::Test::Utils::tempdir;
append_to_file("$dir/$_", $scripts{$_}[1]) for keys %scripts;
my $out = '';
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-R', '60', '-T', '900', '--max-tries=100', (map { ('-f', "$dir/$_\@$scripts{$_}[0]") } sort keys %scripts),
		$primary->connstr('hospital') ], '>&', \$out);
loaded(100);

my %first = (rows => rows($primary), counts => { counts($primary) });
$primary->backup('plain');
my %last = (rows => rows($primary), counts => { counts($primary) });

# Two moments: what the reports were then, and how recovery is told to stop there.
my %then;
for my $name (qw(named timed))
{
	loaded(100);
	# Nothing is committed between the reports and the mark.
	my $hold = $primary->background_psql('hospital', on_error_stop => 1);
	$hold->query_safe('BEGIN; SELECT pg_advisory_xact_lock(1); SELECT workflow_track.exclude_detection();');
	$then{$name} = { kept => state_of($primary), target => $name eq 'named'
		? $primary->safe_psql('hospital', q(SELECT pg_create_restore_point('named') IS NOT NULL)) && 'named'
		: $primary->safe_psql('hospital', 'SELECT pg_sleep(0.05); SELECT clock_timestamp()') =~ s/\s//r };
	$primary->safe_psql('hospital', 'SELECT pg_sleep(0.05)');
	$hold->query_safe('COMMIT');
	$hold->quit;
}
loaded(100);
my %after = counts($primary);
cmp_ok($after{$_}, '>', $last{counts}{$_}, "the load went on after the backup: $_") for sort keys %after;

# A standby answers everything while the primary is written to, and goes on by itself once it is promoted.
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'plain', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\narchive_mode = off\n");
$standby->start;
my %asked = counts($primary);
for my $view (split /\n/, $primary->safe_psql('hospital', q(
	SELECT 'workflow_track.' || relname FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind = 'v'
	UNION ALL SELECT format('workflow_track.%s(now())', proname) FROM pg_proc WHERE pronamespace = 'workflow_track'::regnamespace AND proname LIKE '%\_at' AND proretset
	ORDER BY 1)))
{
	my $error;
	is($standby->psql('hospital', "SELECT count(*) FROM $view", stderr => \$error), 0, "a standby answers $view") or diag($error);
}
is($standby->safe_psql('hospital', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'what a standby holds is what the definitions say, in the midst of a load');
my %answered = counts($primary);
cmp_ok($answered{$_}, '>', $asked{$_}, "the load went on while the standby was asked: $_") for sort keys %asked;
ok($load->pumpable, 'and still does') or diag($out);

$load->kill_kill;
$primary->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'");
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');
$primary->wait_for_catchup($standby);
same(state_of($standby), state_of($primary), 'the standby has all that the primary has');
$standby->promote;
$standby->safe_psql('hospital', q(SELECT workflow_track.record_event('result.final', 'after promotion', 'LIS', now() - interval '9 days', subject => 'x', severity => 'critical')));
is($standby->safe_psql('hospital', q(SELECT count(*) FROM workflow_track.care_loop WHERE patient_id = 'after promotion' AND status = 'overdue')), 2, 'what is recorded after promotion is found');
consistent($standby, 'after promotion');
$standby->stop;

# Servers made of the backup: alone, which has all that was there when it began and nothing that was not when it ended, or recovered to the moments.
for my $name (qw(alone named timed))
{
	my $copy = PostgreSQL::Test::Cluster->new("to_$name");

	$copy->init_from_backup($primary, 'plain', has_restoring => $name ne 'alone');
	$copy->append_conf('postgresql.conf', "archive_mode = off\n");
	$copy->append_conf('postgresql.conf', ($name eq 'named' ? 'recovery_target_name' : 'recovery_target_time') . " = '$then{$name}{target}'\nrecovery_target_action = 'promote'\n")
	  if $name ne 'alone';
	$copy->start;
	$copy->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	if ($name eq 'alone')
	{
		my $rows = rows($copy);

		is(scalar(without($first{rows}, $rows)), 0, 'the backup has every event that was there when it began');
		is(scalar(without($rows, $last{rows})), 0, 'and none that was not there when it ended');
		is($copy->safe_psql('hospital', q(
			SELECT count(*) FROM (SELECT subject FROM workflow_track.event WHERE encounter_id ~ '^w' AND entry_method = 'manual' GROUP BY subject, recorded_at HAVING count(*) % 5 <> 0) x)),
			0, 'transactions are there as a whole');
	}
	else
	{
		same(state_of($copy), $then{$name}{kept}, "recovery to a $name moment gives what there was");
	}
	consistent($copy, $name eq 'alone' ? 'in a server made of the backup alone' : "after recovery to a $name moment");
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

# Every row of every table and of every report.
sub state_of
{
	my ($node) = @_;

	return tables($node, 'hospital') . "\n" . reports($node, 'hospital');
}

# Every event.
sub rows { return WorkflowTrack::rows($_[0], 'hospital', 'workflow_track.event') }

# The lines of a text that another does not have.
sub without
{
	my ($text, $other) = @_;
	my %other = map { $_ => 1 } split /\n/, $other;

	return grep { !$other{$_} } split /\n/, $text;
}

# How much of each sort there is that the load brings.
sub counts
{
	my ($node) = @_;
	my @sorts = qw(event retraction patient_merge message);
	my %counts = map { $_ => $node->safe_psql('hospital', "SELECT count(*) FROM workflow_track.$_") } @sorts;

	# Statistics come a little late.
	$counts{maintain} = $node->safe_psql('hospital', q(SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE funcname = 'maintain'));
	return %counts;
}

# Passes if what is kept is what the definitions say, and a rebuild changes nothing.
sub consistent
{
	my ($node, $when) = @_;
	my $kept = kept($node, 'hospital') . "\n" . reports($node, 'hospital');

	is($node->safe_psql('hospital', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, "what is kept is what the definitions say $when");
	$node->safe_psql('hospital', 'CALL workflow_track.rebuild()');
	same(kept($node, 'hospital') . "\n" . reports($node, 'hospital'), $kept, "rebuild() changes nothing $when");
}
