# Sessions that record for the same patients at once, at every isolation level: nobody deadlocks and nothing is missed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use POSIX 'strftime';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use WorkflowTrack;

my $sessions = $ENV{WT_LONG} ? 16 : 8;
my $transactions = $ENV{WT_LONG} ? 150 : 20;           # of each session
my $loaded = $ENV{WT_LONG} ? 100_000 : 3_000;          # events, and messages, of the bulk loads
my $loaded_patients = $ENV{WT_LONG} ? 10_000 : 100;    # a hundred of them are everybody's
my $weight = $ENV{WT_LONG} ? 40 : 1;                   # of what writes, where what reads every view has 1
my $rows = 100;                                        # of a long transaction

# What reads at SERIALIZABLE needs more than is usual; the other is as the server comes, but for what tests have.
my $node = new_server('main', "max_pred_locks_per_transaction = 1000\n");
my $defaults = new_server('defaults', "max_connections = 100\n");
my $dir = PostgreSQL::Test::Utils::tempdir;

$_->safe_psql('postgres', q(
	CREATE EXTENSION workflow_track;
	SELECT workflow_track.setup();
	INSERT INTO workflow_track.staff (actor, role) SELECT 'a' || n, CASE WHEN n < 4 THEN 'provider' ELSE 'nurse' END FROM generate_series(0, 5) n;
	SELECT workflow_track.define_workflow(jsonb_build_object('version', v.version, 'state', v.state) || '{"workflow": "site",
		"steps": [{"step": "result", "kind": "result.final", "delivered_to": ["provider"]}],
		"expectations": [{"name": "by a provider", "category": "acknowledgement", "after": ["result.final"],
			"expect": ["result.acknowledged"], "by": ["provider"], "correlated_by": "item", "within": "1 day"}]}')
		FROM (VALUES (1, 'current'), (2, 'future')) AS v (version, state);
	CREATE FUNCTION adt(type text, what text, id bigint, patient integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$
		SELECT format(E'MSH|^~\\\\&|EHR|NORTH|||20240301080000||ADT^%s|%s%s|P|2.5\rEVN||%s\rPID|1||p%s\rPV1|1|I|A^B^C^NORTH||||||||||||||||v1', type, what, id, to_char(timestamp '2024-03-01' + id % 86400 * interval '1 second', 'YYYYMMDDHH24MISS'), patient)
	$$;
	CREATE FUNCTION withdraw(patient text) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			PERFORM workflow_track.retract_event(e.event_id, 'by hand') FROM (SELECT max(h.event_id) AS event_id FROM workflow_track.event_history AS h
				WHERE h.patient_id = patient AND h.kind = 'encounter.admitted' AND h.retracted_at IS NULL) AS e WHERE e.event_id IS NOT NULL;
		EXCEPTION WHEN object_not_in_prerequisite_state THEN
			NULL;	-- somebody was quicker
		END
	$$;
)) for $node, $defaults;

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

# The same by record_event(), some of it taken back, and by messages.
my $record = <<'EOF_RECORD';
\set patient random(1, 100)
\set subject random(1, 10)
\set actor random(0, 5)
BEGIN;
SELECT workflow_track.record_event('order.placed', 'p' || :patient, 'record', now() - :subject * interval '1 hour', encounter_id => 'v1', subject => 's' || :subject, actor => 'a' || :actor);
SAVEPOINT again;
SELECT workflow_track.record_event('result.final', 'p' || 101 - :patient, 'record', now(), subject => 's' || :subject, severity => 'critical');
ROLLBACK TO again;
SELECT workflow_track.record_event('result.acknowledged', 'p' || :patient, 'record', now(), encounter_id => 'v1', subject => 's' || :subject, actor => 'a' || :actor);
SELECT workflow_track.record_event('result.final', 'p' || 101 - :patient, 'record', now(), subject => 's' || :subject, severity => 'critical') AS event \gset
SELECT workflow_track.retract_event(:event, 'test');
COMMIT;
EOF_RECORD
my $message = <<'EOF_MESSAGE';
\set patient random(1, 100)
\set subject random(1, 10)
\set id random(1, 1000000000)
SELECT workflow_track.ingest_hl7v2(format(E'MSH|^~\\&|LIS|NORTH|||20240301080000||ORU^R01|%s|P|2.5\rPID|1||p%s\rPV1|1|I|A^B^C^NORTH||||||||||||||||v1\rORC|RE|s%s|f%s\rOBR|1|s%s|f%s|2345-7^Glucose^LN|||20240301080000||||||||||||||20240301080000|||F\rOBX|1|NM|2345-7^Glucose^LN||%s|mmol/L||HH|||F',
	:id, :patient, :subject, :subject, :subject, :subject, :id % 30));
EOF_MESSAGE
# Admissions that messages call off, that somebody retracts, and that are read anew by other rules.
my $withdraw = <<'EOF_WITHDRAW';
\set patient random(1, 20)
\set id random(1, 1000000000)
SELECT workflow_track.ingest_hl7v2(adt('A01', 'in', :id, :patient));
BEGIN;
SELECT withdraw('p' || :patient);
\sleep 2 ms
COMMIT;
SELECT workflow_track.ingest_hl7v2(adt('A01', 'in', :id + 1, :patient));
UPDATE workflow_track.hl7v2_mapping SET actor = quote_literal('a' || :id % 6) WHERE name = 'encounter.admitted';
SELECT workflow_track.reprocess(max(message_id)) FROM workflow_track.message WHERE patient_id = 'p' || :patient AND message_type = 'ADT^A01';
SELECT workflow_track.ingest_hl7v2(adt('A11', 'off', :id + 2, :patient));
EOF_WITHDRAW
# Every view but those that align each encounter, which take minutes here.
my $read = $node->safe_psql('postgres', q(
	SELECT format('SELECT count(*) FROM workflow_track.%I;', relname) FROM pg_class
	WHERE relnamespace = 'workflow_track'::regnamespace AND relkind = 'v' AND relname NOT IN ('inbox', 'conformance', 'workflow_deviation')));

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
SELECT workflow_track.ensure_partitions(now(), now() + interval '25 months');
SELECT workflow_track.set_workflow_state('site', 1 + :actor % 2, 'current');
CALL workflow_track.rebuild(20);
\sleep 500 ms
EOF_CARE

my %scripts = (
	(map { $_ => "BEGIN ISOLATION LEVEL " . tr/_/ /r . ";\n" . event($_) x $rows . "COMMIT;\n" }
		qw(read_committed repeatable_read serializable)),
	small => event('small') x 3,
	few => "COPY workflow_track.event (kind, occurred_at, patient_id, encounter_id, subject, item, severity, source_system, actor, recipient)\n" .
		"\tFROM '$dir/few.csv' (FORMAT csv);\n",
	record => $record,
	message => $message,
	withdraw => $withdraw,
	read => $read,
	links => $links,
	care => $care);
append_to_file("$dir/$_", $scripts{$_}) for keys %scripts;

# Rows of events, for COPY.
sub rows_of_events
{
	my ($from, $n) = @_;

	return join '', map {
		join(',', (qw(order.placed result.final result.acknowledged))[ $_ % 3 ], strftime('%F %TZ', gmtime(time - 300 * $_)),
			'p' . $_ % $loaded_patients, 'v' . $_ % 3, 's' . $_ % 10, 'r', 'critical', $from, 'a' . $_ % 6, 'a' . $_ % 7) . "\n"
	} 1 .. $n;
}

# The same of messages: an order each, by two numbers.
sub rows_of_messages
{
	my ($n) = @_;

	return join '', map {
		'"' . join("\r", "MSH|^~\\&|EHR|NORTH|||20240301080000||ORM^O01|mail$_|P|2.5", 'PID|1||p' . $_ % $loaded_patients, 'PV1|1|I|A^B^C^NORTH||||||||||||||||v1',
			"ORC|NW|m$_|n$_||||||20240301080000|||a1", "OBR|1|m$_|n$_|2345-7^Glucose^LN") . "\"\n"
	} 1 .. $n;
}

append_to_file("$dir/few.csv", rows_of_events('few', 5));
append_to_file("$dir/load.csv", rows_of_events('load', $loaded));
append_to_file("$dir/mail.csv", rows_of_messages($loaded));

# What a load of events, and one of messages, says to psql.
my $load_events = $scripts{few} =~ s/few\.csv/load.csv/r;
my $load_messages = "COPY workflow_track.inbox (body) FROM '$dir/mail.csv' (FORMAT csv);\n";

my ($load_out, $mail_out, $bench_out, $care_out) = ('', '', '', '');
my $load = IPC::Run::start(
	[ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $load_events ],
	'>&', \$load_out);
my $mail = IPC::Run::start(
	[ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $load_messages ],
	'>&', \$mail_out);
my $maintenance = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '1', '-T', $ENV{WT_LONG} ? 120 : 6, '--max-tries=100', '-f', "$dir/care", $node->connstr('postgres') ],
	'>&', \$care_out);
my $bench = IPC::Run::run(
	[ 'pgbench', '-n', '-c', $sessions, '-j', '2', '-t', $transactions, '--max-tries=1000', '--failures-detailed',
		(map { ('-f', "$dir/$_\@$weight") } qw(read_committed repeatable_read serializable small few record message withdraw links)), '-f', "$dir/read",
		$node->connstr('postgres') ],
	'>&', \$bench_out);
ok($bench, 'sessions ended well') or diag($bench_out);
ok($load->finish, 'the load of events ended well') or diag($load_out);
ok($mail->finish, 'the load of messages ended well') or diag($mail_out);
ok($maintenance->finish, 'maintenance ended well') or diag($care_out);
note($bench_out, $care_out);

like($bench_out, qr/number of failed transactions: 0 /, 'no transaction was given up');
is($node->safe_psql('postgres', q(SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres')), 0, 'no deadlock was counted');
my $log = slurp_file($node->logfile);
unlike($log, qr/deadlock detected/, 'no deadlock was logged');
unlike($log, qr/out of shared memory/, 'there were locks enough');
is($node->safe_psql('postgres', qq(
	SELECT count(*) FROM (
		SELECT recorded_at, source_system FROM workflow_track.event WHERE source_system IN ('read_committed', 'repeatable_read', 'serializable')
		GROUP BY recorded_at, source_system HAVING count(*) % $rows <> 0) x)), 0, 'transactions are there as a whole');
my %rows = (read_committed => $rows, repeatable_read => $rows, serializable => $rows, small => 3, few => 5, record => 3);
is($node->safe_psql('postgres', "SELECT count(*) FROM workflow_track.event WHERE source_system = '$_'"), committed($_) * $rows{$_}, "nothing is lost: $_")
	for sort keys %rows;
is($node->safe_psql('postgres', q(SELECT count(*) FROM workflow_track.message WHERE control_id ~ '^\d')), committed('message'), 'nothing is lost: message');
is($node->safe_psql('postgres', q(SELECT count(*) FROM workflow_track.message WHERE message_type LIKE 'ADT%')), 3 * committed('withdraw'), 'nothing is lost: withdraw');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM workflow_track.retraction WHERE retracted_reason LIKE '$_%'"), '>', 0, "there is: $_") for 'by hand', 'called off by', 'message read anew';
is($node->safe_psql('postgres', q(SELECT count(*) FROM workflow_track.event WHERE source_system = 'load')), $loaded, 'the load is there as a whole');
is($node->safe_psql('postgres', q(SELECT count(*) FROM workflow_track.message WHERE control_id LIKE 'mail%' AND status = 'processed')), $loaded, 'so are the messages');

$node->safe_psql('postgres', 'CALL workflow_track.catch_up()');
my $kept = kept($node, 'postgres');
holds($kept, qw(loop_state duplicate_state misrouted_state patient_merge handoff_latency));
$node->safe_psql('postgres', 'CALL workflow_track.rebuild()');
same(kept($node, 'postgres'), $kept, 'rebuild() changes nothing');

is($node->safe_psql('postgres', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'what is kept is what the definitions say');

at_defaults();
waits() if $ENV{WT_LONG};

done_testing();

# Passes if the locks of a server as it comes suffice, at the levels that take no locks of what they read: for loads of more patients than a
# transaction has locks, all at once, beside many sessions.
sub at_defaults
{
	my %levels = (committed => 'READ COMMITTED', repeatable => 'REPEATABLE READ');
	my $out = '';
	my $locks = 0;

	is($defaults->safe_psql('postgres', q(SELECT count(*) FROM pg_settings WHERE name IN ('max_locks_per_transaction', 'max_pred_locks_per_transaction', 'max_connections')
		AND setting <> boot_val)), 0, 'settings are those that the server comes with');
	append_to_file("$dir/wide.csv", join '', map { rows_of_events('wide', 1) =~ s/,p\d+,/,q$_,/r } 1 .. 2_000);
	append_to_file("$dir/wide_$_", "BEGIN ISOLATION LEVEL $levels{$_};\n" . $scripts{few} =~ s/few\.csv/wide.csv/r . "COMMIT;\n") for keys %levels;

	my $loads = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-j', '2', '-t', $ENV{WT_LONG} ? 10 : 4, (map { ('-f', "$dir/wide_$_") } sort keys %levels), $defaults->connstr('postgres') ],
		'>&', \$out);
	my $bench_out = '';
	my $bench = IPC::Run::start(
		[ 'pgbench', '-n', '-c', $sessions, '-j', '2', '-t', $transactions, '--max-tries=1000', '--failures-detailed',
			(map { ('-f', "$dir/$_\@$weight") } qw(read_committed repeatable_read small few record message withdraw links)), '-f', "$dir/read", $defaults->connstr('postgres') ],
		'>&', \$bench_out);
	while ($loads->pumpable || $bench->pumpable)
	{
		my $now = $defaults->safe_psql('postgres', 'SELECT count(DISTINCT (locktype, database, relation, page, tuple, virtualxid, transactionid::text, classid, objid, objsubid)) FROM pg_locks');

		$locks = $now if $now > $locks;
		$_->pump_nb for grep { $_->pumpable } $loads, $bench;
		usleep(200_000);
	}
	ok($loads->finish, 'at default settings the loads ended well') or diag($out);
	ok($bench->finish, 'so did the sessions') or diag($bench_out);
	like($bench_out, qr/number of failed transactions: 0 /, 'no transaction of theirs was given up');
	cmp_ok($locks, '>', 1_024, "locks were taken: $locks of them");
	unlike(slurp_file($defaults->logfile), qr/out of shared memory/, 'there were locks enough');
	$defaults->safe_psql('postgres', 'CALL workflow_track.catch_up()');
	is($defaults->safe_psql('postgres', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'what is kept is what the definitions say');
}

# Passes if single events of the patients of a load wait no longer than docs/operate.md says: as the COMMIT of the load takes, on whatever machine,
# and two seconds.
sub waits
{
	my %loads = (events => $load_events, messages => $load_messages);

	append_to_file("$dir/single", "\\set patient random(1, 100)\nSELECT workflow_track.record_event('note.signed', 'p' || :patient, 'single', now(), subject => 's1');\n");
	for my $name (sort keys %loads)
	{
		my ($load_out, $single_out) = ('', '');
		my $load = IPC::Run::start([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $defaults->connstr('postgres'), '-c', 'BEGIN', '-c', $loads{$name}, '-c', '\timing on', '-c', 'COMMIT' ],
			'>&', \$load_out);

		# As long as the load goes on, and a little longer.
		for (my $n = 1; $load->pumpable; $n++)
		{
			ok(IPC::Run::run([ 'pgbench', '-n', '-c', '4', '-T', '5', '-l', "--log-prefix=$dir/waits_$name.$n", '-f', "$dir/single", $defaults->connstr('postgres') ], '>&', \$single_out),
				"single events were recorded beside the load of $name") or diag($single_out);
			$load->pump_nb;
		}
		ok($load->finish, "the load of $name ended well") or diag($load_out);

		my @waits = sort { $a <=> $b } map { map { (split / /)[2] / 1_000_000 } split /\n/, slurp_file($_) } glob "$dir/waits_$name.*";
		my ($commit) = $load_out =~ /^Time: ([0-9.]+) ms/m;

		note(sprintf 'beside the load of %s, the longest wait of %d was %.2f s; of 99 in 100, %.3f s; the COMMIT of the load took %.2f s', $name, scalar @waits, $waits[-1],
			$waits[ 0.99 * @waits ], $commit / 1000);
		cmp_ok($waits[-1], '<', $commit / 1000 + 2, "nobody waited longer for the load of $name than its COMMIT took");
	}
}

# How many transactions of a script were committed, as pgbench tells.
sub committed
{
	my ($script) = @_;

	return $bench_out =~ m{^SQL script \d+: \S*/$script\n(?: - .*\n)*? - (\d+) transactions }m ? $1 : die "no count of $script";
}
