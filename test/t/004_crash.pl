# A server killed in the middle of a load: what was acknowledged is there with its findings, and nothing by half.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use WorkflowTrack;

my $rounds = $ENV{WT_LONG} ? 30 : 3;
my $sessions = 4;
my $most = 2000;                # transactions of a session in a round

my $node = new_server('main', "checkpoint_timeout = 30s\n");
my $dir = PostgreSQL::Test::Utils::tempdir;
my $acknowledged = 0;

srand(1);
$node->safe_psql('postgres', q(
	CREATE EXTENSION workflow_track;
	SELECT workflow_track.setup();
	CREATE TABLE acknowledged (subject text);
));

crash($_) for 1 .. $rounds;
note("$acknowledged transactions were acknowledged in $rounds rounds");

my $kept = kept($node, 'postgres');
holds($kept, qw(loop_state handoff_latency));
$node->safe_psql('postgres', 'CALL workflow_track.rebuild()');
same(kept($node, 'postgres'), $kept, 'rebuild() changes nothing');

done_testing();

# A transaction about a subject of its own, of one of some patients; it is told when it has committed.
sub transaction
{
	my ($round, $session, $n) = @_;
	my $subject = "$round-$session-$n";
	my $values = join ",\n", map {
		sprintf "('%s', now() - interval '%d minutes', 'p%d-%d', 'v%d', '%s', 'r', 'critical', 'EHR', 'a%d')",
		  $_->[0], $_->[1], $round, $n % 20, $n % 3, $subject, $_->[2]
	} ([ 'order.placed', 90, 1 ], [ 'result.final', 60, 2 ], [ 'result.acknowledged', 30, 1 ]);

	return <<"EOF_SQL";
BEGIN;
INSERT INTO workflow_track.event (kind, occurred_at, patient_id, encounter_id, subject, item, severity, source_system, actor)
	VALUES $values;
COMMIT;
\\echo $subject
EOF_SQL
}

# Starts a session of many transactions.
sub session
{
	my ($round, $session, $told) = @_;
	my $file = "$dir/$round-$session";

	append_to_file($file, join '', map { transaction($round, $session, $_) } 1 .. $most);
	return IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $file ],
		'>', $told, '2>', '/dev/null');
}

# Kills the server and all its processes at some moment of a load, starts it again, and looks at what is there.
sub crash
{
	my ($round) = @_;
	my @told = ('') x $sessions;
	my @load = map { session($round, $_, \$told[$_]) } 0 .. $sessions - 1;

	$node->poll_query_until('postgres', "SELECT count(*) > 60 FROM workflow_track.event WHERE subject LIKE '$round-%'");
	usleep(rand(500_000));
	my @processes = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	$node->kill9;
	kill 'KILL', @processes;
	$_->finish for @load;
	my @subjects = map { split /\n/ } @told;
	ok(@subjects > 20 && @subjects < $sessions * $most, "round $round: killed in the middle");
	$acknowledged += @subjects;

	# Until the last process is gone, its shared memory is in the way.
	until ($node->start(fail_ok => 1))
	{
		$node->{_pid} = undef;	# else start() takes the killed server for a running one
		usleep(100_000);
	}
	$node->safe_psql('postgres', join "\n", 'COPY acknowledged FROM STDIN;', @subjects, '\.', '');
	is($node->safe_psql('postgres', q(
		SELECT count(*) FROM acknowledged LEFT JOIN (
			SELECT subject, count(*) FROM workflow_track.care_loop WHERE status = 'met' GROUP BY subject) found USING (subject)
		WHERE count IS DISTINCT FROM 2)),
		0, "round $round: what was acknowledged is there with its findings");
	is($node->safe_psql('postgres', q(
		SELECT count(*) FROM (
			SELECT subject FROM workflow_track.event GROUP BY subject HAVING count(*) <> 3
			UNION ALL SELECT subject FROM workflow_track.care_loop GROUP BY subject HAVING count(*) <> 2) half)),
		0, "round $round: nothing is there by half");
}
