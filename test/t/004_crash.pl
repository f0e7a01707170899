# A server killed in the middle of a load: what was acknowledged is there with its findings, what was prepared is prepared, and nothing is there by half.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use WorkflowTrack;

my $rounds = $ENV{WT_LONG} ? 30 : 4;
my $sessions = 4;
my $most = 2000;                # transactions of a session in a round
my @ways = ('the server with all its processes', 'the postmaster alone', 'a session', 'the server, and once more while it recovers');

my $node = new_server('main', "checkpoint_timeout = 30s\nmax_prepared_transactions = 20\nrestart_after_crash = on\n");
my $dir = PostgreSQL::Test::Utils::tempdir;
my ($acknowledged, $kills, $prepared) = (0, 0, 0);

srand(1);
$node->safe_psql('postgres', q(
	CREATE EXTENSION workflow_track;
	SELECT workflow_track.setup();
	CREATE TABLE acknowledged (subject text);
));

crash($_) for 1 .. $rounds;
note("$kills kills survived; $acknowledged transactions were acknowledged, $prepared of them prepared when the server was killed");

my $kept = kept($node, 'postgres');
holds($kept, qw(loop_state handoff_latency));
$node->safe_psql('postgres', 'CALL workflow_track.rebuild()');
same(kept($node, 'postgres'), $kept, 'rebuild() changes nothing');
consistent('after rebuild()');

done_testing();

# Passes if what is kept is what the definitions say.
sub consistent
{
	my ($when) = @_;

	is($node->safe_psql('postgres', 'SELECT count(*) FROM workflow_track.check_consistency() WHERE NOT is_stale'), 0, "what is kept is what the definitions say $when");
}

# A transaction about a subject of its own, by events and a message, of one of some patients; it is told when it has committed.
sub transaction
{
	my ($round, $session, $n) = @_;
	my $subject = "$round-$session-$n";
	my $in_two = $n % 10 == 0;
	my $patient = $in_two ? "p$subject" : sprintf 'p%d-%d', $round, $n % 20;
	my $values = join ",\n", map {
		sprintf "('%s', now() - interval '%d minutes', '%s', 'v%d', '%s', 'r', 'critical', 'EHR', 'a%d')",
		  $_->[0], $_->[1], $patient, $n % 3, $subject, $_->[2]
	} ([ 'order.placed', 90, 1 ], [ 'result.final', 60, 2 ], [ 'result.acknowledged', 30, 1 ], [ 'result.viewed', 20, 1 ]);
	my $end = $in_two ? "PREPARE TRANSACTION '$subject';\n\\echo prepared $subject" : "COMMIT;\n\\echo done $subject";
	my $earlier = "$round-$session-" . ($n - 5);

	$end .= "\nCOMMIT PREPARED '$earlier';\n\\echo done $earlier" if $n % 10 == 5 && $n > 5;

	return <<"EOF_SQL";
BEGIN;
INSERT INTO workflow_track.event (kind, occurred_at, patient_id, encounter_id, subject, item, severity, source_system, actor)
	VALUES $values;
SELECT workflow_track.ingest_hl7v2(format(E'MSH|^~\\\\&|EHR|NORTH|||%s||ORM^O01|$subject|P|2.5\\rPID|1||$patient\\rPV1|1|I|A^B^C^NORTH||||||||||||||||v1\\rORC|NW|m$subject|||||||%s\\rOBR|1|m$subject||2345-7^Glucose^LN',
	to_char(now(), 'YYYYMMDDHH24MISS'), to_char(now(), 'YYYYMMDDHH24MISS')));
SELECT workflow_track.retract_event(event_id, 'test') FROM workflow_track.event WHERE patient_id = '$patient' AND subject = '$subject' AND kind = 'result.viewed';
$end
EOF_SQL
}

# Starts a session of many transactions.
sub session
{
	my ($round, $session, $told) = @_;
	my $file = "$dir/$round-$session";

	append_to_file($file, join '', map { transaction($round, $session, $_) } 1 .. $most);
	return IPC::Run::start([ 'psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $file ],
		'>', $told, '2>', '/dev/null');
}

# Starts what goes on besides: rollups, stale patients, merges.
sub care
{
	my $file = "$dir/care";

	append_to_file($file, <<'EOF_SQL') unless -e $file;
UPDATE workflow_track.staff SET role = CASE role WHEN 'nurse' THEN 'provider' ELSE 'nurse' END;
CALL workflow_track.catch_up(5);
SELECT workflow_track.maintain();
CALL workflow_track.rebuild(10);
EOF_SQL
	return IPC::Run::start([ 'pgbench', '-n', '-c', '1', '-T', '600', '-f', $file, $node->connstr('postgres') ], '>', '/dev/null', '2>', '/dev/null');
}

# Kills a server's processes, or one, at some moment of a load, and has it running again.
sub kill_and_restart
{
	my ($way) = @_;
	my @processes = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');

	$kills++;
	if ($way == 2)
	{
		my ($victim) = split /\n/, $node->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE query LIKE 'COMMIT%' OR query LIKE 'INSERT%' ORDER BY query_start LIMIT 1));

		kill 'KILL', $victim // $processes[0];
		$node->poll_query_until('postgres', 'SELECT 1', '1');
		return;
	}
	$node->kill9;
	kill 'KILL', @processes if $way != 1;
	for my $again (0 .. ($way == 3))
	{
		# Until the last process is gone, its shared memory is in the way.
		until ($node->start(fail_ok => 1))
		{
			$node->{_pid} = undef;	# else start() takes the killed server for a running one
			usleep(100_000);
		}
		next if !($way == 3 && $again == 0);
		# The checkpoint at the end of recovery may still be under way.
		$node->kill9;
		$kills++;
	}
}

# Kills at some moment of a load, and looks at what is there.
sub crash
{
	my ($round) = @_;
	my $way = ($round - 1) % @ways;
	my @told = ('') x $sessions;

	$node->safe_psql('postgres', q(INSERT INTO workflow_track.staff (actor, role) SELECT 'a2', 'nurse' WHERE NOT EXISTS (SELECT FROM workflow_track.staff)));
	my @load = map { session($round, $_, \$told[$_]) } 0 .. $sessions - 1;
	my $care = care();

	$node->poll_query_until('postgres', "SELECT count(*) > 60 FROM workflow_track.event WHERE subject LIKE '$round-%'");
	usleep(rand(500_000));
	kill_and_restart($way);
	$_->finish for @load;
	$care->kill_kill;

	my @lines = map { split /\n/ } @told;
	my @subjects = map { /^done (.*)/ ? $1 : () } @lines;
	ok(@subjects > 10 && @subjects < $sessions * $most, "round $round: killed in the middle: $ways[$way]");

	# What was said to be prepared is prepared still, unless it was committed; committing it finds what it has.
	my %waiting = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
	my %known = map { $_ => 1 } @subjects, keys %waiting, split /\n/, $node->safe_psql('postgres', "SELECT DISTINCT subject FROM workflow_track.event WHERE subject LIKE '$round-%'");
	is(join(' ', grep { !$known{$_} } map { /^prepared (.*)/ ? $1 : () } @lines), '', "round $round: what was prepared is prepared or committed");
	$node->safe_psql('postgres', "COMMIT PREPARED '$_'") for keys %waiting;
	$prepared += keys %waiting;
	push @subjects, keys %waiting;
	$acknowledged += @subjects;

	$node->safe_psql('postgres', 'CALL workflow_track.catch_up()');
	$node->safe_psql('postgres', join "\n", 'COPY acknowledged FROM STDIN;', @subjects, '\.', '');
	is($node->safe_psql('postgres', q(
		SELECT count(*) FROM acknowledged a
		WHERE (SELECT count(*) FROM workflow_track.care_loop l WHERE l.subject = a.subject AND l.status = 'met') <> 2
			OR NOT EXISTS (SELECT FROM workflow_track.care_loop l WHERE l.subject = 'm' || a.subject AND l.status = 'open')
			OR NOT EXISTS (SELECT FROM workflow_track.message m WHERE m.control_id = a.subject AND m.status = 'processed')
			OR NOT EXISTS (SELECT FROM workflow_track.event_history e WHERE e.subject = a.subject AND e.kind = 'result.viewed' AND e.retracted_at IS NOT NULL))),
		0, "round $round: what was acknowledged is there with its findings");
	is($node->safe_psql('postgres', q(
		SELECT count(*) FROM (
			SELECT subject FROM workflow_track.event WHERE subject NOT LIKE 'm%' GROUP BY subject HAVING count(*) <> 4
			UNION ALL SELECT m.control_id FROM workflow_track.message m WHERE NOT EXISTS (SELECT FROM workflow_track.event e WHERE e.subject = m.control_id)
			UNION ALL SELECT e.subject FROM workflow_track.event e WHERE e.subject LIKE 'm%' AND NOT EXISTS (SELECT FROM workflow_track.message m WHERE m.message_id = e.message_id)
			UNION ALL SELECT subject FROM workflow_track.care_loop WHERE subject NOT LIKE 'm%' GROUP BY subject HAVING count(*) <> 2) half)),
		0, "round $round: nothing is there by half");
	consistent("after round $round");
}
