# A server killed in the middle of a load and of what goes on besides: what was acknowledged is there with its findings, what was prepared is prepared,
# and nothing is there by half.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use WorkflowTrack;

my $rounds = $ENV{WT_LONG} ? 30 : 4;
my $fsync = $ENV{WT_LONG} ? 'on' : 'off';	# off loses nothing when processes are killed
my $sessions = 4;
my $most = 2000;                # transactions of a session in a round
my @ways = ('the server with all its processes', 'the postmaster alone', 'a session', 'the server, and once more while it recovers');

my $node = new_server('main', "fsync = $fsync\ncheckpoint_timeout = 30s\nmax_prepared_transactions = 20\nrestart_after_crash = on\n");
my $dir = PostgreSQL::Test::Utils::tempdir;
my ($acknowledged, $kills, $recovering, $prepared) = (0, 0, 0, 0);
my (%killed, $complaints);

srand(1);
$node->safe_psql('postgres', q(
	CREATE EXTENSION workflow_track;
	SELECT workflow_track.setup();
	CREATE TABLE acknowledged (subject text);
));
$node->safe_psql('postgres', "SELECT workflow_track.ensure_partitions(now() - interval '@{[ $rounds + 2 ]} months', now())");

crash($_) for 1 .. $rounds;
note("$kills kills survived, $recovering of them in recovery; $acknowledged transactions were acknowledged, $prepared of them prepared when the server was killed");
note("what was under way: ", join(', ', map { "$_ ($killed{$_})" } sort keys %killed));
cmp_ok($recovering, '>', 0, 'recovery was interrupted') if $rounds > @ways;
is(join("\n", grep { /ERROR|PANIC/ } split /\n/, $complaints), '', 'no statement failed but by the kill');

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

# Are transactions prepared in a round?  What drops months or rebuilds waits for them, and keeps waiting who would commit them.
sub prepares
{
	my ($round) = @_;

	return $round % 3 == 1;
}

# A transaction about a subject of its own, by events and a message, of one of some patients; it is told when it has committed.
# Of some the order and the rest are of two patients, whom it makes one.
sub transaction
{
	my ($round, $session, $n) = @_;
	my $subject = "$round-$session-$n";
	my $in_two = $n % 10 == 0 && prepares($round);
	my $merges = $n % 10 == 3;
	my $patient = $in_two || $merges ? "p$subject" : sprintf 'p%d-%d', $round, $n % 20;
	my $values = join ",\n", map {
		sprintf "('%s', now() - interval '%d minutes', '%s', 'v%d', '%s', 'r', 'critical', 'EHR', 'a%d')",
		  $_->[0], $_->[1], $merges && $_->[2] == 2 ? "q$subject" : $patient, $n % 3, $subject, $_->[2]
	} ([ 'order.placed', 90, 1 ], [ 'result.final', 60, 2 ], [ 'result.acknowledged', 30, 1 ], [ 'result.viewed', 20, 1 ]);
	my $merge = $merges ? "SELECT workflow_track.record_event('patient.merged', '$patient', 'PMS', now() - interval '10 minutes', subject => 'q$subject');" : '';
	my $time = strftime('%Y%m%d%H%M%S', gmtime);
	my $message = join '\r', "MSH|^~\\\\&|EHR|NORTH|||$time||ORM^O01|$subject|P|2.5", "PID|1||$patient",
	  'PV1|1|I|A^B^C^NORTH||||||||||||||||v1', "ORC|NW|m$subject|||||||$time", "OBR|1|m$subject||2345-7^Glucose^LN";
	my $ingest = $n % 2 ? "SELECT workflow_track.ingest_hl7v2(E'$message');" : "COPY workflow_track.inbox (body) FROM STDIN;\n$message\n\\.";
	my $end = $in_two ? "PREPARE TRANSACTION '$subject';\n\\echo prepared $subject" : "COMMIT;\n\\echo done $subject";
	my $earlier = "$round-$session-" . ($n - 5);

	$end .= "\nCOMMIT PREPARED '$earlier';\n\\echo done $earlier" if $n % 10 == 5 && $n > 5 && prepares($round);

	return <<"EOF_SQL";
BEGIN;
INSERT INTO workflow_track.event (kind, occurred_at, patient_id, encounter_id, subject, item, severity, source_system, actor)
	VALUES $values;
$merge
$ingest
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
		'>', $told, '2>', \$complaints);
}

# Starts what goes on besides: months that are dropped, stale patients and rollups, or a rebuild.
sub care
{
	my ($round) = @_;
	my $file = "$dir/care-$round";
	my $old = "now() - interval '@{[ $rounds + 2 - $round ]} months'";
	my @care = (<<"EOF_DROP", <<'EOF_CATCH_UP', <<'EOF_REBUILD');
INSERT INTO workflow_track.event (kind, occurred_at, patient_id, encounter_id, source_system) SELECT 'note.signed', $old - n * interval '1 day', 'old' || n, 'v' || n, 'EHR' FROM generate_series(1, 60) n;
SELECT workflow_track.drop_before($old, true);
EOF_DROP
UPDATE workflow_track.staff SET role = CASE role WHEN 'nurse' THEN 'provider' ELSE 'nurse' END;
CALL workflow_track.catch_up(5);
SELECT workflow_track.maintain();
EOF_CATCH_UP
CALL workflow_track.rebuild(10);
EOF_REBUILD

	append_to_file($file, $care[$round % @care]);
	return IPC::Run::start([ 'pgbench', '-n', '-c', '1', '-T', '600', '-f', $file, $node->connstr('postgres') ], '>', '/dev/null', '2>', \$complaints);
}

# Has a killed server running; until the last of its processes is gone, its shared memory is in the way.
sub restart
{
	until ($node->start(fail_ok => 1))
	{
		$node->{_pid} = undef;	# else start() takes the killed server for a running one
		usleep(100_000);
	}
}

# Starts a killed server, once nothing of it is in the way, and kills it as soon as it recovers.
sub kill_in_recovery
{
	my ($offset, $log);

	do
	{
		my $until = time + $PostgreSQL::Test::Utils::timeout_default;

		$offset = -s $node->logfile;
		PostgreSQL::Test::Utils::system_log('pg_ctl', '-W', '-D', $node->data_dir, '-l', $node->logfile, 'start');
		do
		{
			usleep(1_000);
			$log = slurp_file($node->logfile, $offset);
			die 'the killed server does not start' if time > $until;
		} until $log =~ /redo starts|FATAL:  (lock file|pre-existing shared memory block)/;
	} until $log =~ /redo starts/;
	kill 'KILL', (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	$kills++;
	$recovering++ if slurp_file($node->logfile, $offset) !~ /ready to accept connections/;
}

# Kills a server's processes, or one, at some moment of a load, and has it running again when the load has ended.
sub kill_and_restart
{
	my ($way, @load) = @_;
	my @processes = map { [ split /\|/, $_, 2 ] } split /\n/, $node->safe_psql('postgres', q(
		SELECT pid, CASE WHEN state = 'active' THEN coalesce(substring(query FROM 'workflow_track\.\w+'), split_part(query, ' ', 1)) END
		FROM pg_stat_activity WHERE pid <> pg_backend_pid() ORDER BY state IS DISTINCT FROM 'active', random()));

	$killed{$_}++ for grep { $_ ne '' } map { $_->[1] } @processes;
	$kills++;
	if ($way == 2)
	{
		kill 'KILL', $processes[0][0];
		$_->finish for @load;
		usleep(100_000) while system('pg_isready', '-q', '-d', $node->connstr('postgres')) != 0;
		return;
	}
	$node->kill9;
	kill 'KILL', map { $_->[0] } @processes if $way != 1;
	$_->finish for @load;
	kill_in_recovery() if $way == 3;
	restart();
}

# Kills at some moment of a load, and looks at what is there.
sub crash
{
	my ($round) = @_;
	my $way = ($round - 1) % @ways;
	my @told = ('') x $sessions;

	$node->safe_psql('postgres', q(INSERT INTO workflow_track.staff (actor, role) SELECT 'a2', 'nurse' WHERE NOT EXISTS (SELECT FROM workflow_track.staff)));
	my @load = map { session($round, $_, \$told[$_]) } 0 .. $sessions - 1;
	my $care = care($round);

	$node->poll_query_until('postgres', "SELECT count(*) > 60 FROM workflow_track.event WHERE subject LIKE '$round-%'");
	usleep(rand(500_000));
	kill_and_restart($way, @load, $care);

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
			SELECT subject FROM workflow_track.event WHERE kind <> 'patient.merged' AND subject NOT LIKE 'm%' GROUP BY subject HAVING count(*) <> 4
			UNION ALL SELECT g.merged_id FROM workflow_track.patient_merge g WHERE NOT EXISTS (SELECT FROM workflow_track.event e WHERE e.patient_id = g.merged_id)
			UNION ALL SELECT e.patient_id FROM workflow_track.event e WHERE e.patient_id LIKE 'q%' AND NOT EXISTS (SELECT FROM workflow_track.patient_merge g WHERE g.merged_id = e.patient_id)
			UNION ALL SELECT m.partition_name FROM workflow_track.months() m, workflow_track.detection_state d WHERE m.upper_bound < d.horizon
			UNION ALL SELECT m.control_id FROM workflow_track.message m WHERE NOT EXISTS (SELECT FROM workflow_track.event e WHERE e.subject = m.control_id)
			UNION ALL SELECT e.subject FROM workflow_track.event e WHERE e.subject LIKE 'm%' AND NOT EXISTS (SELECT FROM workflow_track.message m WHERE m.message_id = e.message_id)
			UNION ALL SELECT subject FROM workflow_track.care_loop WHERE subject NOT LIKE 'm%' GROUP BY subject HAVING count(*) <> 2) half)),
		0, "round $round: nothing is there by half");
	consistent("after round $round");
}
