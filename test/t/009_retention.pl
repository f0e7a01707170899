# What is reported from the horizon of retention on is what a database reports that kept everything, whatever comes later.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

# How each report is told of the time from the horizon on, wherever it does not matter when a database got an event or a message: views by the
# column that says when, or by a query; functions of a time by a query.  A view with a function X_at() is asked about MOMENT.
my %compared = (
	(map { $_ => 'opened_at' } qw(loop care_loop unacknowledged_result missed_follow_up overdue_loop)),
	(map { $_ => 'occurred_at' } qw(misrouted_result billing_finding missing_field missing_information)),
	(map { $_ => 'submitted_at' } qw(claim claim_outcome)),
	duplicate_entry => 'duplicate_at',
	charge_lag => 'day',
	handoff => 'taken_at',
	handoff_latency_hourly => 'hour',
	conformance => 'started_at',
	# What is wrong since long may have been found later, in an event of later.
	identity_finding => 'SELECT f.* FROM workflow_track.identity_finding f JOIN workflow_track.event_history e USING (event_id) WHERE e.occurred_at >= HORIZON',
	identity_conflict => 'SELECT f.* FROM workflow_track.identity_conflict_at(MOMENT) f JOIN workflow_track.event_history e USING (event_id) WHERE e.occurred_at >= HORIZON',
	billing_mismatch => 'SELECT b.* FROM workflow_track.billing_mismatch_at(MOMENT) b
		JOIN workflow_track.event_history e ON e.event_id = coalesce(b.charge_event_id, b.documentation_event_id) WHERE e.occurred_at >= HORIZON',
	# Days and weeks are those of facilities: the first that no clock begins before the horizon.
	interaction_burden => 'SELECT * FROM workflow_track.interaction_burden WHERE day > (HORIZON)::date',
	workaround_signal => 'SELECT * FROM workflow_track.workaround_signal WHERE week > (HORIZON)::date',
	# Who counts all from the first event on is asked how much more it is than at the horizon; how much more is unmatched, where nothing of before
	# may be answered by what comes after.
	rule_coverage => q(SELECT c.workflow, c.expectation, c.facility, sum(openers), sum(closers), CASE WHEN NOT EXISTS (
			SELECT FROM workflow_track.event_history e JOIN workflow_track.expectation x ON e.kind = ANY (x.expect)
			WHERE x.workflow = c.workflow AND x.name = c.expectation AND e.occurred_at < HORIZON
				AND e.occurred_at + CASE time_precision WHEN 'second' THEN '0' ELSE '1 ' || time_precision END::interval + x.early >= HORIZON) THEN sum(unmatched_closers) END
		FROM (SELECT * FROM workflow_track.rule_coverage_at(MOMENT)
			UNION ALL SELECT workflow, expectation, facility, -openers, -closers, -unmatched_closers FROM workflow_track.rule_coverage_at(HORIZON - interval '1 microsecond')) c
		GROUP BY 1, 2, 3 HAVING (sum(openers), sum(closers)) <> (0, 0)),
	event_history => q(SELECT to_jsonb(e) - '{recorded_at,retracted_at}'::text[] FROM workflow_track.event_history e WHERE occurred_at >= HORIZON),
	message_arrival => q(SELECT to_jsonb(m) - 'received_at' FROM workflow_track.message_arrival m WHERE received_at >= HORIZON),
	message_exception => q(SELECT to_jsonb(m) - 'received_at' FROM workflow_track.message_exception m WHERE received_at >= HORIZON),
	flow_gap => q(SELECT to_jsonb(f) - '{last_seen,silent_for}'::text[] FROM workflow_track.flow_gap_at(now() + interval '1 day') f),
	# How many events came of messages, and how late, is told of events that are still there.
	data_flow => 'SELECT facility, from_system, to_system, message_type, sum(messages), sum(rejected) FROM workflow_track.data_flow(HORIZON) GROUP BY 1, 2, 3, 4',
	(map { $_ => "SELECT * FROM workflow_track.$_(HORIZON)" } qw(directly_follows workflow_variant denial_cause export_xes)),
	export_ocel => q(SELECT ltrim(o, ',') FROM workflow_track.export_ocel(HORIZON) o),
	(map { $_ => "SELECT d.* FROM workflow_track.workflow w CROSS JOIN LATERAL workflow_track.$_(w.workflow, w.version, HORIZON) d
		WHERE w.state = 'current' AND workflow_track.workflow_has_run(w.workflow, w.version)" } qw(workflow_deviation deviation_summary)),
	burden_of_time => q(SELECT by_role, b.* FROM unnest(ARRAY[true, false]) by_role CROSS JOIN LATERAL workflow_track.burden_of_time(HORIZON, MOMENT, by_role, '15 minutes') b),
	burden_change => q(SELECT by_role, b.* FROM unnest(ARRAY[true, false]) by_role
		CROSS JOIN LATERAL workflow_track.burden_change(HORIZON, HORIZON + interval '10 days', HORIZON + interval '10 days', MOMENT, by_role) b),
	discover_workflow => q(SELECT workflow_track.discover_workflow('found', HORIZON) WHERE EXISTS (SELECT FROM workflow_track.workflow_variant(HORIZON))),
	workflow_picture => q(SELECT workflow_track.workflow_picture('site', 3, 'dot', HORIZON)),
);

# Reports that are not told of the time from a moment on.
my %not_compared = (
	health => 'is about the database',
	inbox => 'is always empty',
	handoff_latency => 'is a rollup, which keeps what was before; handoff_latency_hourly tells it by hour',
	task_queue => 'has no time; equal() asks it apart',
	(map { $_ => 'is a part of others' } qw(follows_counts variant_counts performer_counts conformance_cases conformance_deviations deviations flow_counts
		picture_edges picture_dot picture_mermaid log_events log_left_out)),
	(map { $_ => 'is about one patient' } qw(scenario_events check_scenario scenario_tap)),
);
my %rows;    # of each report, how many there were
my $kept_open = 0;    # loops that were open when months were dropped without force

# Not all at once: months go one after the other, as they do where retention is at work.
my @horizons = map { "date_trunc('month', now(), 'UTC') - interval '$_ months'" } 3, 2, 1;

my $node = new_server('main');
hospital($node, 'complete');
for my $report (split /\n/, $node->safe_psql('complete', q(
	SELECT relname || ' ' || coalesce(to_regproc('workflow_track.' || relname || '_at')::text, '')
	FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind = 'v'
	UNION SELECT proname || ' function' FROM pg_proc
	WHERE pronamespace = 'workflow_track'::regnamespace AND proargnames[1:pronargs] && '{since,before_from}' AND has_function_privilege('workflow_track_analyst', oid, 'EXECUTE')
		AND to_regclass('workflow_track.' || proname) IS NULL
	ORDER BY 1)))
{
	my ($name, $at) = split / /, $report, -1;

	ok((defined $compared{$name} xor defined $not_compared{$name}), "it is said whether $name is compared");
	$compared{$name} = sprintf('SELECT * FROM workflow_track.%s WHERE %s >= HORIZON', $name . ($at ? '_at(MOMENT)' : ''), $compared{$name})
	  if ($compared{$name} // ' ') !~ / /;
	$rows{$name} = 0 if defined $compared{$name};
}

# What the hospital lacks: what a step requires, flows, claims, alerts, screens, notes.
$node->safe_psql('complete', <<"EOF_SQL");
	SELECT workflow_track.define_workflow('${\more()}');
	INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, code, recipient, source_system, actor, entry_method)
		SELECT k.kind, v.occurred_at + k.days * interval '1 day', v.facility, v.patient_id, v.encounter_id, k.subject || v.event_id, k.code, k.recipient, 'EHR', k.actor, k.method
		FROM workflow_track.event v, (VALUES ('claim.submitted', 3, 'c', NULL::workflow_track.clinical_code, NULL, 'coder', NULL::workflow_track.entry_method), ('claim.denied', 20, 'c', NULL, NULL, NULL, NULL),
			('claim.paid', 40, 'c', NULL, NULL, NULL, NULL), ('alert.fired', 1, 'a', 'local:CDS|ddi', 'dr1', NULL, 'interface'), ('alert.fired', 1.005, 'a', 'local:CDS|ddi', 'dr1', NULL, 'interface'),
			('alert.overridden', 1.01, 'a', 'local:CDS|ddi', NULL, 'dr1', 'manual'), ('screen.used', 1, 's', NULL, NULL, 'rn1', 'manual'), ('note.signed', 4, 'n', NULL, NULL, 'dr2', 'manual')) k (kind, days, subject, code, recipient, actor, method)
		WHERE v.kind = 'encounter.admitted' AND v.encounter_id IS NOT NULL AND v.occurred_at + k.days * interval '1 day' < now() AND (v.event_id + k.days::int) % 3 > 0
		ORDER BY v.event_id, k.days, k.kind;
	CALL workflow_track.catch_up();
	SELECT workflow_track.maintain();
EOF_SQL
$node->safe_psql('postgres', 'CREATE DATABASE retained TEMPLATE complete');

my $error;
my $loops = $node->safe_psql('retained', q(SELECT count(*) FROM workflow_track.care_loop WHERE status IN ('open', 'overdue')));
$node->psql('retained', "SELECT workflow_track.drop_before($horizons[1])", stderr => \$error);
like($error, qr/loops that were opened before .* are open or overdue/, 'refused while loops are open');
is($node->safe_psql('retained', q(SELECT count(*) FROM workflow_track.care_loop WHERE status IN ('open', 'overdue'))), $loops, 'none is lost');

for my $horizon (@horizons)
{
	my $events = $node->safe_psql('retained', 'SELECT count(*) FROM workflow_track.event');
	drop_before($horizon, $horizon ne $horizons[1], qw(complete retained));
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
cmp_ok($rows{$_}, '>', 0, "there were rows of $_") for sort keys %rows;
cmp_ok($kept_open, '>', 0, 'there were loops to be kept');

done_testing();

# Passes if both databases report the same from a moment on; numbers of events are the same in both.
sub equal
{
	my ($horizon, $name, $complete, $retained) = @_;
	my $in_sql = sub { $_[0] =~ s/HORIZON/$horizon/gr =~ s/MOMENT/@{[ WorkflowTrack::MOMENT ]}/gr };
	my $sql = join "\n", map { qq(SELECT '$_ ' || r::text FROM (@{[ $in_sql->($compared{$_}) ]}) r ORDER BY r::text COLLATE "C";) } sort keys %compared;
	my $expected = $node->safe_psql($complete, $sql);

	$rows{$_}++ for $expected =~ /^(\w+) \(/mg;
	same($node->safe_psql($retained, $sql), $expected, "reports from the horizon on are equal $name");
	# Loops of before the horizon are gone: all that waits is of the time from then on.
	is($node->safe_psql($retained, $in_sql->('SELECT * FROM workflow_track.task_queue_at(MOMENT) ORDER BY 1, 2, 3')),
		$node->safe_psql($complete, $in_sql->(q(
			SELECT facility, owner_role, owner, count(*) FILTER (WHERE status = 'open'), count(*) FILTER (WHERE status = 'overdue'), min(due_at)
			FROM workflow_track.care_loop_at(MOMENT) WHERE status IN ('open', 'overdue') AND opened_at >= HORIZON GROUP BY 1, 2, 3 ORDER BY 1, 2, 3))),
		"so is what waits for whom $name");
	is($node->safe_psql($retained, 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, "and what is kept is what the definitions say $name");
}

# Drops what is before a horizon from one database: by force, or once nothing of it is open, which may take events that both get.
sub drop_before
{
	my ($horizon, $force, $complete, $retained) = @_;
	my $open = "SELECT %s FROM workflow_track.loop_state l JOIN workflow_track.expectation e USING (expectation_id) WHERE l.settled_at > now() AND l.opened_at";
	my $again = 'CALL workflow_track.catch_up(); SELECT workflow_track.maintain();';

	if ($force)
	{
		$node->safe_psql($retained, "SELECT workflow_track.drop_before($horizon, true)");
		return;
	}

	# What they wait for comes, of half of them after the horizon; what waits for something else then is called off.
	my $settling = sprintf $open, q(DISTINCT format('(%L, %L::timestamptz, %L, %L, %L, %L, %L, %L, %L)', e.expect[1],
		CASE WHEN l.opened_event_id % 2 = 0 THEN l.opened_at + interval '1 minute' ELSE HORIZON + interval '1 hour' END,
		l.facility, l.patient_id, l.encounter_id, l.subject, l.item, 'dr1', coalesce(e.by[1], 'provider'))) =~ s/HORIZON/$horizon/r;
	if (my $events = join ', ', sort split /\n/, $node->safe_psql($retained, "$settling < $horizon"))
	{
		$node->command_fails_like([ 'psql', '-Xq', '-c', "SELECT workflow_track.drop_before($horizon)", $node->connstr($retained) ], qr/ are open or overdue/, 'refused while loops are open');
		$node->safe_psql($_, "INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, item, actor, actor_role) VALUES $events; $again")
		  for $complete, $retained;
	}
	while (my $events = join ', ', split /\n/, $node->safe_psql($retained, sprintf("$open < $horizon ORDER BY 1", 'DISTINCT l.opened_event_id')))
	{
		$node->safe_psql($_, "SELECT workflow_track.retract_event(event_id, 'settled') FROM unnest(ARRAY[$events]) event_id; $again") for $complete, $retained;
	}

	my $waiting = sprintf "$open >= $horizon ORDER BY 1", 'l';
	my $kept = $node->safe_psql($retained, $waiting);
	$node->safe_psql($retained, "SELECT workflow_track.drop_before($horizon)");
	is($node->safe_psql($retained, $waiting), $kept, 'loops that are open are kept');
	$kept_open += () = $kept =~ /^./mg;
}

# A part of the map that requires something, declares flows, and looks back for alerts.
sub more
{
	return '{"workflow": "more", "version": 1, "state": "current",
		"steps": [{"step": "order", "kind": "order.placed", "required_fields": ["detail.indication", "item"]}],
		"flows": [{"from": "EHR", "to": "LIS", "types": ["ORM^O01"], "every": "1 hour"}],
		"burden": {"redundant_alert_within": "1 day"}}';
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
		SELECT workflow_track.define_workflow('${\more()}');
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
	  note.signed procedure.documented charge.captured charge.captured claim.submitted claim.denied claim.paid alert.fired alert.fired alert.overridden screen.used);
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
			(map { value($_) } "c$patient", $name{v}, $name{o}, any('r', undef), any('local:L|A', 'local:L|B', 'cpt|99213', undef), any('1', '2', undef), $critical,
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
		drop_before($horizon, any(0, 1), $all, $some);
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
