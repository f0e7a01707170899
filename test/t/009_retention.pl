# What is reported from the horizon of retention on is what a database reports that kept everything, whatever comes later.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

# Not all at once: months go one after the other, as they do where retention is at work.
my @horizons = map { "date_trunc('month', now(), 'UTC') - interval '$_ months'" } 3, 2, 1;

my $node = new_server('main');
hospital($node, 'complete');
$node->safe_psql('complete', 'CALL workflow_track.catch_up(); SELECT workflow_track.maintain();');
$node->safe_psql('postgres', 'CREATE DATABASE retained TEMPLATE complete');

my $error;
my $loops = $node->safe_psql('retained', q(SELECT count(*) FROM workflow_track.care_loop WHERE status IN ('open', 'overdue')));
$node->psql('retained', "SELECT workflow_track.drop_before($horizons[1])", stderr => \$error);
like($error, qr/loops that were opened before .* are open or overdue/, 'refused while loops are open');
is($node->safe_psql('retained', q(SELECT count(*) FROM workflow_track.care_loop WHERE status IN ('open', 'overdue'))), $loops, 'none is lost');

for my $horizon (@horizons)
{
	my $events = $node->safe_psql('retained', 'SELECT count(*) FROM workflow_track.event');
	$node->safe_psql('retained', "SELECT workflow_track.drop_before($horizon, true)");
	cmp_ok($node->safe_psql('retained', 'SELECT count(*) FROM workflow_track.event'), '<', $events, 'events are dropped');
	equal($horizon, 'after the drop', qw(complete retained));
	$node->safe_psql('retained', 'CALL workflow_track.rebuild()');
	equal($horizon, 'after rebuild()', qw(complete retained));

	# Late events of visits that have not ended before, corrections, merges and their undoing, staff that changes: the same to both.
	for my $db (qw(complete retained))
	{
		$node->safe_psql($db, <<"EOF_SQL");
			INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, item, severity, source_system, actor, recipient)
				SELECT k.kind, v.occurred_at + k.hours * interval '1 hour', 'north', v.patient_id, v.encounter_id, 'o' || substr(v.encounter_id, 2), 'r', 'critical', k.system, k.actor, 'dr1'
				FROM workflow_track.event v, (VALUES ('result.corrected', 70, 'LIS', 'lab'), ('result.acknowledged', 75, 'EHR', 'dr2'),
					('handoff.accepted', 71, 'EHR', 'rn3'), ('data.entered', 0, 'EHR', 'rn1')) k (kind, hours, system, actor)
				WHERE v.kind = 'encounter.admitted' AND v.occurred_at >= $horizon AND v.event_id % 3 > 0
				ORDER BY v.event_id, k.kind;
			INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, subject, source_system)
				VALUES ('patient.merged', $horizon + interval '1 day', 'north', 'p30', 'p31', 'PMS');
			SELECT workflow_track.retract_event(event_id, 'merged by mistake') FROM workflow_track.event
				WHERE kind = 'patient.merged' AND patient_id = 'p30' AND NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = event.event_id)
				ORDER BY occurred_at OFFSET 1;
			UPDATE workflow_track.staff SET role = CASE role WHEN 'consultant' THEN 'provider' ELSE 'consultant' END WHERE actor = 'dr5';
			CALL workflow_track.catch_up();
			SELECT workflow_track.maintain();
EOF_SQL
	}
	equal($horizon, 'after what came later', qw(complete retained));
}
is($node->safe_psql('retained', q(SELECT count(*) FROM workflow_track.patient_merge)),
	$node->safe_psql('complete', 'SELECT count(*) FROM workflow_track.patient_merge'), 'merges are kept');
is($node->safe_psql('retained', q(
	SELECT count(*) FROM workflow_track.patient_state p
	WHERE NOT linked AND NOT EXISTS (SELECT FROM workflow_track.event e WHERE e.patient_id = p.patient_id))), 0, 'patients without events are forgotten');

# What comes after the drop is a duplicate of what was before it.
small_site('site');
$node->safe_psql('postgres', 'CREATE DATABASE late TEMPLATE site');
for my $entry ([ '-1 hour', 'EHR' ], [ '1 hour', 'PMS' ])
{
	$node->safe_psql('late', "SELECT workflow_track.drop_before($horizons[2])") if $entry->[1] eq 'PMS';
	$node->safe_psql('late', "SELECT workflow_track.record_event('data.entered', 'p1', '$entry->[1]', $horizons[2] + interval '$entry->[0]',
		code => 'local:L|A', value => '1', entry_method => 'manual')");
}
is($node->safe_psql('late', 'SELECT gap FROM workflow_track.duplicate_entry'), '02:00:00', 'an entry before the horizon is the original of one that comes later');

my @bounds = map { $node->safe_psql('postgres', "SELECT extract(epoch FROM @{[ WorkflowTrack::MOMENT ]} - interval '$_ months')::bigint") } 0 .. 5;

chance($_) for 1 .. ($ENV{WT_LONG} ? 40 : 2);

done_testing();

# Passes if both databases report the same from a moment on; events are named by what does not depend on numbers.
sub equal
{
	my ($horizon, $name, $complete, $retained) = @_;
	my @rows = (
		(map { "(SELECT * FROM workflow_track.${_}_at(${\WorkflowTrack::MOMENT}) WHERE opened_at >= $horizon)" } qw(care_loop unacknowledged_result missed_follow_up overdue_loop)),
		"(SELECT * FROM workflow_track.duplicate_entry WHERE duplicate_at >= $horizon)",
		"(SELECT * FROM workflow_track.misrouted_result WHERE occurred_at >= $horizon)",
		"(SELECT * FROM workflow_track.billing_finding WHERE occurred_at >= $horizon)",
		"(SELECT * FROM workflow_track.missing_field WHERE occurred_at >= $horizon)",
		"(SELECT f.* FROM workflow_track.identity_finding f JOIN workflow_track.event_history e USING (event_id) WHERE e.occurred_at >= $horizon)",
		"(SELECT * FROM workflow_track.claim_outcome_at(${\WorkflowTrack::MOMENT}) WHERE submitted_at >= $horizon)",
		"(SELECT * FROM workflow_track.charge_lag WHERE day >= $horizon)",
		"(SELECT * FROM workflow_track.handoff WHERE taken_at >= $horizon)",
		"(SELECT * FROM workflow_track.handoff_latency_hourly WHERE hour >= $horizon)",
		"(SELECT * FROM workflow_track.conformance WHERE started_at >= $horizon)",
		"(SELECT * FROM workflow_track.workflow_variant($horizon))",
		"(SELECT from_kind, to_kind, follows, cases, facility FROM workflow_track.directly_follows($horizon))",
		"(SELECT * FROM workflow_track.message_exception WHERE received_at >= $horizon)");
	my $expected = WorkflowTrack::rows($node, $complete, @rows);
	my $found = WorkflowTrack::rows($node, $retained, @rows);
	same($found, $expected, "reports from the horizon on are equal $name");
	is($node->safe_psql($retained, 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, "and what is kept is what the definitions say $name");
}

# One of some.
sub any
{
	return $_[ rand @_ ];
}

# A value of SQL, null where there is none.
sub value
{
	my ($text) = @_;

	return defined $text ? "'$text'" : 'NULL';
}

# A database with the map and the staff of the hospital, and a rule that looks back however far; nothing is recorded.
sub small_site
{
	my ($db) = @_;
	my $document = $node->safe_psql('complete', q(SELECT jsonb_insert(workflow_track.workflow_document('site', 3), '{expectations,0}',
		'{"name": "seen", "category": "follow_up", "after": ["encounter.discharged"], "expect": ["followup.completed"],
		  "correlated_by": "patient", "within": "7 days", "early": "1 day"}')));

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, <<"EOF_SQL");
		CREATE EXTENSION workflow_track;
		SELECT workflow_track.setup();
		SELECT workflow_track.ensure_partitions(now() - interval '6 months', now());
		SELECT workflow_track.set_workflow_state('default', 1, 'retired');
		SELECT workflow_track.define_workflow('$document');
		INSERT INTO workflow_track.staff (actor, role) VALUES ('dr1', 'provider'), ('dr2', 'consultant'), ('rn1', 'nurse');
EOF_SQL
}

# A moment between two, in seconds; often near the first or the start of a month.
sub moment
{
	my ($from, $until) = @_;
	my $at = any(1, 0) ? any($from, @bounds) + int(rand(2 * 86400)) - 86400 : $from + int(rand($until - $from));

	return $at < $from || $at >= $until ? moment($from, $until) : $at;
}

# Events of few patients, visits and orders, much the same, so that what is found of one hangs on others; names are those of visits
# and orders to be used.  At first some patients have been there for a month and no more.
sub events
{
	my ($n, $from, $names) = @_;
	my @kinds = qw(order.placed order.placed result.final result.final result.corrected result.acknowledged result.acknowledged order.cancelled
	  data.entered data.entered data.entered handoff.offered handoff.accepted encounter.discharged encounter.admitted followup.completed
	  note.signed procedure.documented);
	my @rows;

	for (1 .. $n)
	{
		my $patient = int(rand(10));
		my $month = $from == $bounds[5] && $patient > 4 ? $patient - 4 : 0;
		my %name = map { my $kind = $_; $kind => any(undef, grep { /^$kind$patient-/ } @$names) } qw(v o);
		my $critical = any('critical', 'normal', undef);

		push @rows, '(' . join(', ',
			(map { value($_) } any(@kinds), strftime('%F %TZ', gmtime(moment($month ? @bounds[ $month, $month - 1 ] : ($from, $bounds[0]))))),
			int(rand(2)), value(any(('second') x 6, 'minute', 'hour', 'day')),
			(map { value($_) } "c$patient", $name{v}, $name{o}, any('r', undef), any('local:L|A', 'local:L|B', undef), any('1', '2', undef), $critical,
				any('dr1', 'dr2', 'rn1', 'gone', undef), any(undef, undef, 'provider'), any('dr1', 'rn1', 'gone', undef), any(qw(EHR LIS PMS)),
				any('manual', 'interface'), any(undef, '{"patient_class": "I"}'))) . ')';
	}
	return 'INSERT INTO workflow_track.event (kind, occurred_at, source_sequence, time_precision, patient_id, encounter_id, subject, item, code, value,
		severity, actor, actor_role, recipient, source_system, entry_method, detail) VALUES ' . join(",\n", @rows) . ';';
}

# Merges of patients, and of visits and numbers of one; what was recorded is called off; a message that orders, and one that cancels or answers.
sub links
{
	my ($from, $names) = @_;
	my $time = sub { strftime('%F %TZ', gmtime(moment($from, $bounds[0]))) };
	my @sql;

	for (1 .. 2)
	{
		my ($one, $other) = map { int(rand(10)) } 1 .. 2;

		push @sql, "SELECT workflow_track.record_event('patient.merged', 'c$one', 'PMS', '@{[ $time->() ]}', subject => 'c$other');" if $one != $other;
	}
	for my $patient (0 .. 9)
	{
		my ($v, $w) = map { any(undef, grep { /^v$patient-/ } @$names) } 1 .. 2;
		my ($o, $f) = map { any(undef, grep { /^o$patient-/ } @$names) } 1 .. 2;

		push @sql, "SELECT workflow_track.record_event('encounter.merged', 'c$patient', 'PMS', '@{[ $time->() ]}', encounter_id => '$v', subject => '$w');"
		  if defined $v && defined $w && $v ne $w && rand() < 0.5;
		push @sql, "INSERT INTO workflow_track.subject_alias VALUES ('c$patient', '$f', '$o') ON CONFLICT DO NOTHING;"
		  if defined $o && defined $f && $o ne $f && rand() < 0.7;
		if (defined $o && defined $v && rand() < 0.5)
		{
			my $at = strftime('%Y%m%d%H%M%S', gmtime(moment($from, $bounds[0])));
			my $id = int(rand(1_000_000_000));

			push @sql, "SELECT workflow_track.ingest_hl7v2(E'" . join('\r', "MSH|^~\\\\&|EHR|north|||$at||ORM^O01|$id|P|2.5", "PID|1||c$patient",
				"PV1|1|I|||||||||||||||||$v", "ORC|" . any('NW', 'CA') . "|$o|f$o|||||||$at", "OBR|1|$o|f$o|2345-7^Glucose^LN") . "');";
		}
	}
	push @sql, "SELECT workflow_track.retract_event(event_id, 'entered in error') FROM workflow_track.event e
		WHERE NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = e.event_id)
			AND occurred_at >= to_timestamp($from) AND event_id % 29 = @{[ int(rand(29)) ]} ORDER BY event_id;";
	return join "\n", @sql;
}

# The visits and orders that go on from a moment on, and a new one of every patient.
sub going_on
{
	my ($db, $from) = @_;
	my $new = int(rand(1_000_000));

	return [ (map { ("v$_-$new", "o$_-$new") } 0 .. 9), split /\n/, $node->safe_psql($db, <<"EOF_SQL") ];
		SELECT DISTINCT name FROM workflow_track.event, unnest(ARRAY[encounter_id, subject]) name
		WHERE occurred_at >= to_timestamp($from) AND name ~ '^[vo][0-9]-' ORDER BY name
EOF_SQL
}

# Months of chance, dropped one after the other while more comes in.
sub chance
{
	my ($seed) = @_;
	my ($all, $some) = ("all_$seed", "some_$seed");
	my $names = [ map { my $patient = $_; map { ("v$patient-$_", "o$patient-$_") } 1 .. 3 } 0 .. 9 ];
	my $again = 'CALL workflow_track.catch_up(); SELECT workflow_track.maintain();';

	srand($seed);
	$node->safe_psql('postgres', "CREATE DATABASE $all TEMPLATE site");
	$node->safe_psql($all, join "\n", events(400, $bounds[5], $names), links($bounds[5], $names), "INSERT INTO workflow_track.test_patient VALUES ('c9');", $again);
	$node->safe_psql('postgres', "CREATE DATABASE $some TEMPLATE $all");

	for my $from (@bounds[ reverse 1 .. 4 ])
	{
		my $horizon = "to_timestamp($from)";
		my $before = reports($node, $some);

		# Rolled back, it never was.
		$node->safe_psql($some, "BEGIN; SELECT workflow_track.drop_before($horizon, true); ROLLBACK;");
		same(reports($node, $some), $before, "seed $seed: rolled back");
		$node->safe_psql($some, "SELECT workflow_track.drop_before($horizon, true)");
		equal($horizon, "after the drop (seed $seed)", $all, $some);

		my $names = going_on($all, $from);
		my $more = join "\n", events(60, $from, $names), links($from, $names),
		  "UPDATE workflow_track.staff SET role = '@{[ any(qw(provider consultant)) ]}' WHERE actor = 'dr2';",
		  any("DELETE FROM workflow_track.test_patient;", "INSERT INTO workflow_track.test_patient VALUES ('c8') ON CONFLICT DO NOTHING;"), $again;

		$node->safe_psql($_, $more) for $all, $some;
		$node->safe_psql($some, 'CALL workflow_track.rebuild()') if any(0, 1);
		equal($horizon, "after what came later (seed $seed)", $all, $some);
	}
	$node->safe_psql('postgres', "DROP DATABASE $_") for $all, $some;
}
