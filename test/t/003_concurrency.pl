# Sessions that record for the same patients at once, at every isolation level: nobody deadlocks and nothing is missed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

my $transactions = $ENV{WT_LONG} ? 100 : 20;    # of each of 8 sessions
my $copied = $ENV{WT_LONG} ? 50000 : 10000;
my $rows = 75;                                  # of a long transaction

my $node = new_server('main', "max_pred_locks_per_transaction = 1000\n");
my $dir = PostgreSQL::Test::Utils::tempdir;

$node->safe_psql('postgres', q(
	CREATE EXTENSION workflow_track;
	SELECT workflow_track.setup();
	INSERT INTO workflow_track.staff (actor, role) SELECT 'a' || n, CASE WHEN n < 4 THEN 'provider' ELSE 'nurse' END FROM generate_series(0, 5) n;
	SELECT workflow_track.define_workflow('{"workflow": "site", "version": 1, "state": "current",
		"steps": [{"step": "result", "kind": "result.final", "delivered_to": ["provider"]}],
		"expectations": [{"name": "by a provider", "category": "acknowledgement", "after": ["result.final"],
			"expect": ["result.acknowledged"], "by": ["provider"], "correlated_by": "item", "within": "1 day"}]}');
));

# An event of one of a hundred patients that has to do with others of the same.
sub event
{
	my ($from) = @_;

	return <<"EOF_EVENT";
\\set patient random(1, 100)
\\set subject random(1, 10)
\\set kind random(1, 6)
\\set minutes random(1, 50000)
INSERT INTO workflow_track.event (kind, occurred_at, patient_id, encounter_id, subject, item, value, severity, source_system, actor, recipient, entry_method)
	VALUES (('{order.placed,result.final,result.acknowledged,data.entered,handoff.offered,handoff.accepted}'::text[])[:kind],
		now() - :minutes * interval '1 minute', 'p' || :patient, 'v' || :subject % 3, 's' || :subject, 'r', :subject % 4,
		('{normal,critical}'::workflow_track.severity[])[1 + :subject % 2], '$from', 'a' || :minutes % 6, 'a' || :minutes % 7, 'manual');
EOF_EVENT
}

# Merges of neighbours, retractions of anything, aliases: what makes one transaction read another's patients.
my $links = <<'EOF_LINKS';
\set patient random(1, 50)
\set subject random(1, 10)
BEGIN;
INSERT INTO workflow_track.event (kind, occurred_at, patient_id, subject, source_system)
	VALUES ('patient.merged', now(), 'p' || 2 * :patient, 'p' || 2 * :patient - 1, 'links');
INSERT INTO workflow_track.retraction (event_id, patient_id, occurred_at, retracted_reason, retracted_by)
	SELECT event_id, patient_id, occurred_at, 'test', 'test' FROM workflow_track.event
	WHERE patient_id = 'p' || :patient AND subject = 's' || :subject
		OR patient_id = 'p' || 100 - :patient AND kind = 'patient.merged'
	ORDER BY event_id DESC LIMIT 3 ON CONFLICT DO NOTHING;
INSERT INTO workflow_track.subject_alias VALUES ('p' || :patient, 's1', 's' || :subject) ON CONFLICT DO NOTHING;
COMMIT;
EOF_LINKS

# What goes on besides: the staff changes, rollups and stale patients are seen to, all is rebuilt.
my $care = <<'EOF_CARE';
\set actor random(0, 5)
UPDATE workflow_track.staff SET role = CASE role WHEN 'nurse' THEN 'provider' ELSE 'nurse' END WHERE actor = 'a' || :actor;
CALL workflow_track.catch_up(20);
SELECT workflow_track.maintain();
CALL workflow_track.rebuild(20);
\sleep 500 ms
EOF_CARE

my %scripts = (
	(map { $_ => "BEGIN ISOLATION LEVEL " . tr/_/ /r . ";\n" . event($_) x $rows . "COMMIT;\n" }
		qw(read_committed repeatable_read serializable)),
	small => event('small') x 3,
	links => $links,
	care => $care);
append_to_file("$dir/$_", $scripts{$_}) for keys %scripts;

my ($copy_out, $bench_out, $care_out) = ('', '', '');
my $copy = IPC::Run::start(
	[ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', sprintf(q(
		INSERT INTO workflow_track.event (kind, occurred_at, patient_id, encounter_id, subject, item, severity, source_system, actor, recipient)
			SELECT ('{order.placed,result.final,result.acknowledged}'::text[])[1 + n %% 3], now() - n * interval '5 minutes',
				'p' || n %% 100, 'v' || n %% 3, 's' || n %% 10, 'r', 'critical', 'copy', 'a' || n %% 6, 'a' || n %% 7
			FROM generate_series(1, %d) n), $copied) ],
	'>&', \$copy_out);
my $maintenance = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '1', '-T', $ENV{WT_LONG} ? 120 : 6, '--max-tries=100', '-f', "$dir/care", $node->connstr('postgres') ],
	'>&', \$care_out);
my $bench = IPC::Run::run(
	[ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', $transactions, '--max-tries=1000', '--failures-detailed',
		(map { ('-f', "$dir/$_") } qw(read_committed repeatable_read serializable small links)),
		$node->connstr('postgres') ],
	'>&', \$bench_out);
ok($bench, 'sessions ended well') or diag($bench_out);
ok($copy->finish, 'the load ended well') or diag($copy_out);
ok($maintenance->finish, 'maintenance ended well') or diag($care_out);
note($bench_out, $care_out);

like($bench_out, qr/number of failed transactions: 0 /, 'no transaction was given up');
is($node->safe_psql('postgres', q(SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres')), 0, 'no deadlock was counted');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'no deadlock was logged');
is($node->safe_psql('postgres', qq(
	SELECT count(*) FROM (
		SELECT recorded_at, source_system FROM workflow_track.event WHERE source_system IN ('read_committed', 'repeatable_read', 'serializable')
		GROUP BY recorded_at, source_system HAVING count(*) % $rows <> 0) x)), 0, 'transactions are there as a whole');
is($node->safe_psql('postgres', q(SELECT count(*) FROM workflow_track.event WHERE source_system = 'copy')), $copied, 'the load is there as a whole');

$node->safe_psql('postgres', 'CALL workflow_track.catch_up()');
my $kept = kept($node, 'postgres');
holds($kept, qw(loop_state duplicate_state misrouted_state patient_merge handoff_latency));
$node->safe_psql('postgres', 'CALL workflow_track.rebuild()');
same(kept($node, 'postgres'), $kept, 'rebuild() changes nothing');

done_testing();
