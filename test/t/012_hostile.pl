# Hostile hands: analysts of one hospital who want to know of another, recorders who want to read, alter or delete,
# objects planted to be called by the extension, names that are SQL, arguments that make no sense, and what of patients
# gets into messages and logs.
#
# What an analyst learns is told by comparison: each attempt is made in two databases that differ in what the other
# hospital recorded, and in that alone.  Whatever comes out otherwise is a leak.  Whoever may see everything makes the
# same attempts, and must be told: an attempt that tells nobody anything proves nothing.

use strict;
use warnings;

use Encode ();
use FindBin;
use IPC::Run;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

my $node = new_server('main', "shared_preload_libraries = 'pg_stat_statements'\nlog_min_error_statement = panic\nmax_prepared_transactions = 2\nautovacuum = off\n");
my ($attempts, $refused) = (0, 0);
my @databases = qw(two one);
my $owner = $node->safe_psql('postgres', 'SELECT current_user');	# the extension's

# What docs/security.md says that an analyst can find out all the same.
my %conceded = (
	'whether a name is of the staff' => q(SELECT workflow_track.is_active_actor('SECRETa', now()), workflow_track.role_in_staff('SECRETa', '', '', now())),
	'how large tables are' => q(SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace),
	'how many rows a table has' => q(SELECT reltuples FROM pg_class WHERE oid = 'workflow_track.loop_state'::regclass),
	'how many rows were written' => q(SELECT n_tup_ins FROM pg_stat_all_tables WHERE relid = 'workflow_track.loop_state'::regclass),
	'how much was read' => q(SELECT heap_blks_hit FROM pg_statio_all_tables WHERE relid = 'workflow_track.loop_state'::regclass),
	'how many events were recorded before one' => q(SELECT max(event_id) FROM workflow_track.event_history),
	'in which months there are events' => q(SELECT count(*) FROM workflow_track.days_read()),
	'how values are spread, by estimates' => q(EXPLAIN SELECT FROM workflow_track.loop WHERE owner = 'nobody'),
	'how many rows an index led to, by counters' => q(BEGIN; SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM workflow_track.loop WHERE patient_id = 'SECRET patient'; SELECT idx_tup_fetch FROM pg_stat_xact_all_tables WHERE relid = 'workflow_track.loop_state'::regclass),
	'whether a flow of the map was ever used' => q(SELECT count(*) FROM workflow_track.flow_gap WHERE from_system LIKE 'SEC%'; SELECT count(*) FROM workflow_track.flows_seen('infinity') WHERE from_system LIKE 'SEC%'),
	'which numbers a message of another joins with one\'s own' => q(SELECT count(*) FROM workflow_track.message_trace('SECRET number')),
);

$node->safe_psql('postgres', q(
	CREATE ROLE north LOGIN; CREATE ROLE all_of_it LOGIN; CREATE ROLE nothing LOGIN; CREATE ROLE feed LOGIN; CREATE ROLE careful LOGIN; CREATE ROLE boss LOGIN; CREATE ROLE mallory LOGIN;
	CREATE ROLE no_inherit LOGIN NOINHERIT; CREATE ROLE guest LOGIN; CREATE ROLE ward; GRANT ward TO no_inherit, guest;
	CREATE DATABASE two; CREATE DATABASE one;
	ALTER ROLE careful SET log_error_verbosity = terse; ALTER ROLE feed SET log_min_messages = debug5; ALTER ROLE boss SET log_min_messages = debug5;
));
make_hospitals($_) for @databases;

learn();
misuse_alike();
concede();
watch();
halve();
share();
admit();
change();
plant();
inject();
misuse();
spill();

note("$attempts attempts, $refused refused");
is($refused, $attempts, 'every attempt is refused, or tells nothing');
done_testing();

# Two hospitals with a finding of each sort; of SOUTH, which only one of the databases has, every text is secret.
sub make_hospitals
{
	my ($db) = @_;
	my $hospital = sub {
		my ($facility, $mark) = @_;

		return join '', map { s/FACILITY/$facility/gr =~ s/MARK/$mark/gr } <<'EOF_SQL';
INSERT INTO workflow_track.event (facility, patient_id, encounter_id, subject, item, code, value, actor, actor_role, recipient, source_system, severity, entry_method, kind, occurred_at, detail)
	SELECT 'FACILITY', 'MARK patient', 'MARK visit', 'MARK subject', 'MARK item', 'local:X|MARKcode', 'MARK value', 'MARK' || k.actor, 'MARK role', 'MARK recipient', 'MARK' || k.system, 'critical', 'manual', k.kind,
		timestamptz '2024-01-10' + k.n * interval '1 hour', '{"text": "MARK detail"}'
	FROM (VALUES (1, 'order.placed', 'a', 'EHR'), (2, 'handoff.offered', 'a', 'EHR'), (3, 'handoff.accepted', 'b', 'EHR'), (4, 'result.final', 'lab', 'LIS'),
		(5, 'data.entered', 'a', 'EHR'), (6, 'data.entered', 'b', 'PMS'), (7, 'result.corrected', 'lab', 'LIS'), (8, 'referral.sent', 'a', 'EHR'),
		(11, 'charge.captured', 'clerk', 'BILL'), (12, 'claim.submitted', 'clerk', 'BILL'), (13, 'claim.denied', 'clerk', 'BILL')) k (n, kind, actor, system);
INSERT INTO workflow_track.inbox (body) VALUES
	(E'MSH|^~\\&|MARKEHR|FACILITY|MARKHUB||20240110||MFN^M02|MARKid|P|2.5\rPID|1||MARK patient\rPV1|1|I|A^B^C^FACILITY||||||||||||||||MARK visit'),
	(E'MSH|^~\\&|MARKEHR|FACILITY|MARKHUB||20240111||ORU^R01|MARKid2|P|2.5\rPID|1||MARK patient\rORC|RE|MARK order|MARK filler\rOBR|1|MARK order|MARK filler|1^MARK^L|||||||||||||||||||20240111|||F\rOBX|1|ST|1^MARK^L||MARK value||HH|||F');
EOF_SQL
	};

	$node->safe_psql($db, q(
		CREATE EXTENSION workflow_track; SELECT workflow_track.setup(); CREATE EXTENSION pg_stat_statements; CREATE SCHEMA feed AUTHORIZATION feed; CREATE SCHEMA mallory AUTHORIZATION mallory;
		GRANT workflow_track_analyst TO north, all_of_it, nothing, guest, ward; GRANT workflow_track_recorder TO feed, careful, mallory; GRANT workflow_track_admin TO boss;
		INSERT INTO workflow_track.facility_access VALUES ('north', 'NORTH'), ('all_of_it', '*');
		SELECT workflow_track.define_workflow('{"workflow": "routes", "version": 1, "state": "current",
			"steps": [{"step": "order", "kind": "order.placed", "start": true}, {"step": "result", "kind": "result.final", "performed_by": ["lab"], "delivered_to": ["provider"], "required_fields": ["planned_at"], "repeatable": true, "end": true}], "transitions": [["order", "result"], ["result", "result"]],
			"flows": [{"from": "nobody", "to": "nobody", "types": ["ADT^*"]}], "billing": [{"codes": "local:X|", "documented_by": ["procedure.documented"], "requires_modifiers": ["25"], "within": "1 hour"}]}');
		SELECT workflow_track.define_scenario('{"scenario": "order", "steps": [{"step": "order", "kind": "order.placed"}], "never": [{"kind": "result.final"}]}');
		INSERT INTO workflow_track.staff (actor, role) VALUES ('northa', 'provider');
	) . $hospital->('NORTH', 'north')
	  . q(SELECT workflow_track.maintain(); INSERT INTO workflow_track.event (facility, patient_id, kind, occurred_at, subject) VALUES ('NORTH', 'north late', 'result.final', '2024-01-12', 'x');)
	  . ($db eq 'two' ? $hospital->('SOUTH', 'SECRET') . q(INSERT INTO workflow_track.staff (actor, role) VALUES ('SECRETa', 'nurse');) : '')
	  . q(ANALYZE workflow_track.loop_state, workflow_track.duplicate_state, workflow_track.misrouted_state, workflow_track.billing_state, workflow_track.claim_state, workflow_track.event;));
}

# What a user gets for each of some scripts: rows, notices and errors, by name.  All of them share a connection, which
# is brought back to how it was after each.
sub answers
{
	my ($db, $user, $scripts) = @_;
	my @names = sort keys %$scripts;
	my ($out, $error, %told) = ('', '');
	my $all = join '', map { "\\echo =$_=\n\\warn =$_=\n$scripts->{$names[$_]};\n\\echo =end=\n\\warn =end=\nROLLBACK; DISCARD ALL;\n" } 0 .. $#names;

	$node->psql($db, $all, stdout => \$out, stderr => \$error, extra_params => [ '-U', $user, '-v', 'VERBOSITY=verbose' ], on_error_stop => 0);
	$error =~ s/^psql:[^ ]* //gm;
	$out =~ s/^Query Identifier: .*\n//gm;
	for my $n (0 .. $#names)
	{
		my @parts = map { /^=$n=\n(.*?)^=end=$/ms ? $1 : die "no answer to $names[$n]: " . substr($error, -1000) } $out, $error;

		$told{ $names[$n] } = join '', @parts;
	}
	return \%told;
}

# The same of one script.
sub answer
{
	my ($db, $user, $sql) = @_;

	return answers($db, $user, { it => $sql })->{it};
}

# Counts an attempt, and passes if it was refused.
sub refused
{
	my ($ok, $name, $told) = @_;

	$attempts++;
	$refused++ if $ok;
	ok($ok, $name) or diag(substr($told, 0, 1000));
}

# Rows of a query, as a list.
sub list
{
	return split /\n/, $node->safe_psql('two', $_[0]);
}

# The tables, but for months.
sub all_tables
{
	return list(q(SELECT oid::regclass FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind IN ('r', 'p') AND relname !~ '_20[0-9]{2}_' ORDER BY relname));
}

# Each report, as one that a user may ask: a relation for FROM.
sub reports_of
{
	return list(q(
		SELECT 'workflow_track.' || relname FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind = 'v' AND relname NOT IN ('health', 'inbox')
		UNION ALL SELECT format('workflow_track.%s(%s)', proname, CASE proname WHEN 'flow_gap_at' THEN 'now()' ELSE '''2024-03-01''' END) FROM pg_proc WHERE pronamespace = 'workflow_track'::regnamespace AND proname LIKE '%\_at' AND proretset
		UNION ALL SELECT unnest(ARRAY['workflow_track.directly_follows(NULL)', 'workflow_track.workflow_variant(NULL)', 'workflow_track.conformance(''routes'', 1)',
			'workflow_track.workflow_deviation(''routes'', 1)', 'workflow_track.deviation_summary(''routes'', 1)']) ORDER BY 1));
}

# A function that tells what it is shown of the other hospital.
sub telling
{
	return q(CREATE FUNCTION pg_temp.tell(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
		BEGIN IF value LIKE '%SECRET%' OR value LIKE '%SOUTH%' THEN RAISE WARNING 'told: %', value; END IF; RETURN true; END $$; );
}

# Functions that tell that they were called.
sub calling
{
	return q(CREATE FUNCTION pg_temp.called() RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0000001 AS $$ BEGIN RAISE WARNING 'called'; RETURN true; END $$;
		CREATE FUNCTION pg_temp.called_text() RETURNS text LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE WARNING 'called'; RETURN 'x'; END $$; );
}

# --- an analyst of NORTH wants to know of SOUTH ---------------------------------------------------------------------

sub learn
{
	my (%attempt, %refusal);

	for my $report (reports_of())
	{
		# Whatever a report shows, but for when it was recorded.
		my $delays = $report =~ /data_flow/ ? ',hour,p50,p90,p99,longest' : '';
		$attempt{"rows of $report"} = "SELECT md5(string_agg(r.j::text, ',' ORDER BY r.j::text)), count(*) FROM (SELECT to_jsonb(x) - '{overdue_by,recorded_at,received_at,last_seen,silent_for$delays}'::text[] FROM $report x) r(j)";
		next if $report =~ /deviation_summary/;		# which is numbers
		# Functions of one's own that cost nothing are asked first, unless a barrier stands before them.
		$attempt{"a function that tells what it is shown, over $report"} = telling() . "SELECT count(*) FROM $report r WHERE pg_temp.tell(r.facility) AND pg_temp.tell(r::text)";
		$attempt{"a cast that fails and shows the value, over $report"} = "SELECT count(*) FROM $report r WHERE CASE WHEN r::text LIKE '%SECRET%' OR r::text LIKE '%SOUTH%' THEN r::text::integer = 1 ELSE true END";
		$attempt{"an operator of one's own that looks at statistics, over $report"} = telling()
		  . "CREATE FUNCTION pg_temp.compare(a text, b text) RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_temp.tell(a), pg_temp.tell(b); RETURN true; END \$\$;
			CREATE OPERATOR pg_temp.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.compare, RESTRICT = scalarltsel); SELECT count(*) FROM $report r WHERE r.facility OPERATOR(pg_temp.===) 'x'";
		$attempt{"a function in the columns, an aggregate and a window, over $report"} = telling() . "SELECT count(*) FILTER (WHERE pg_temp.tell(r::text)), max(pg_temp.tell(r::text)::int) OVER () FROM $report r GROUP BY r";
		$attempt{"a function in a join that may be turned round, over $report"} = telling() . "SELECT count(*) FROM (SELECT 1) o JOIN $report r ON pg_temp.tell(r::text)";
		# What has no column to leak may stand beside conditions that pass the barrier: is it reached, they hold of a hidden row.
		$attempt{"a division that fails where a row is found, over $report"} = "SELECT count(*) FROM $report WHERE CASE WHEN facility = 'SOUTH' THEN 1 / (SELECT 0) = 1 END";
		$attempt{"a subquery that is asked where a row is found, over $report"} = calling() . "SELECT count(*) FROM $report WHERE facility > 'SOUTG' AND facility <> (SELECT pg_temp.called_text())";
		$attempt{"a function without arguments, called where a row is found, over $report"} = calling() . "SELECT count(*) FROM $report WHERE CASE WHEN facility IN ('SOUTH', 'SECRET') THEN pg_temp.called() END";
		$attempt{"the same behind a condition that costs nothing, over $report"} = calling() . "SELECT count(*) FROM $report WHERE CASE WHEN facility IS NOT NULL THEN pg_temp.called() END";
	}

	# Functions that reports are made of, asked for the other hospital by name.
	%attempt = (%attempt,
		'handoffs of a patient' => q(SELECT * FROM workflow_track.patient_handoffs('SECRET patient')),
		'handoffs not in the rollups' => q(SELECT * FROM workflow_track.unfolded_handoffs(true); SELECT * FROM workflow_track.unfolded_handoffs(false)),
		'counts of rules' => q(SELECT * FROM workflow_track.coverage_counts('2024-02-01') ORDER BY 1, 2),
		'what fell to whom' => q(SELECT * FROM workflow_track.days_read() AS d CROSS JOIN LATERAL workflow_track.burden_of_day(d, '1 hour') ORDER BY 1, 2, 3, 4),
		'what fell to whom in a time' => q(SELECT * FROM workflow_track.burden_of_time('2024-01-01', '2024-02-01', true, '1 hour') ORDER BY 1, 2; SELECT * FROM workflow_track.burden_change('2024-01-01', '2024-02-01', '2024-02-01', '2024-03-01')),
		'signs of workarounds' => q(SELECT * FROM generate_series('2023-12-25'::date, '2024-02-05', '7 days') AS w CROSS JOIN LATERAL workflow_track.workarounds_of_week(w::date, '1 hour', '1 hour') ORDER BY 1, 2, 3, 4),
		'loops of a version' => q(SELECT * FROM workflow_track.version_loops('default', 1) ORDER BY opened_event_id, expectation_id),
		'edges of cases' => q(SELECT * FROM workflow_track.follows_counts(NULL, NULL, NULL) ORDER BY 1, 2, 3),
		'edges of cases by their rollup' => q(SELECT * FROM workflow_track.kept_follows(true) ORDER BY 1, 2, 3; SELECT * FROM workflow_track.kept_follows(false) ORDER BY 1, 2, 3),
		'variants of cases' => q(SELECT * FROM workflow_track.variant_counts(NULL, NULL, NULL) ORDER BY 1, 2),
		'performers of cases' => q(SELECT * FROM workflow_track.performer_counts(NULL, NULL, NULL) ORDER BY 1, 2, 3, 4),
		'conformance of cases' => q(SELECT * FROM workflow_track.conformance_cases('routes', 1, NULL, NULL); SELECT * FROM workflow_track.conformance_deviations('routes', 1, NULL, NULL)),
		'a draft of the other hospital' => q(SELECT workflow_track.discover_workflow('x', facility => 'SOUTH')),
		'a draft of all hospitals' => q(SELECT workflow_track.discover_workflow('x')),
		'a picture of what happened' => q(SELECT workflow_track.workflow_picture('routes', 1, 'dot', '2024-01-01', '2024-02-01'), workflow_track.workflow_picture('routes', 1, 'mermaid', '2024-01-01', '2024-02-01', 'SOUTH')),
		'a scenario of a patient' => q(SELECT * FROM workflow_track.check_scenario('order', 'SECRET patient'); SELECT * FROM workflow_track.scenario_tap('order', 'SECRET patient')),
		'the events of a scenario' => q(SELECT * FROM workflow_track.scenario_events('SECRET patient', NULL, NULL)),
		'the trace of an order' => q(SELECT * FROM workflow_track.message_trace('SECRET order'); SELECT count(*) FROM workflow_track.message_trace('SECRET subject')),
		'whether a result has an order' => q(SELECT n, workflow_track.is_unmatched_result('SECRET patient', n) FROM generate_series(1, 9) n),
		'test patients shown' => q(SET workflow_track.test_patients = on; SELECT count(*) FROM workflow_track.care_loop; SELECT count(*) FROM workflow_track.event_history),
		'a plan for every parameter' => q(PREPARE p(text) AS SELECT count(*) FROM workflow_track.event_history WHERE facility = $1; SET plan_cache_mode = force_generic_plan; EXECUTE p('SOUTH')),
		'a cursor, backwards' => q(BEGIN; DECLARE c SCROLL CURSOR FOR SELECT facility, patient_id FROM workflow_track.event_history ORDER BY 1, 2; MOVE LAST IN c; FETCH BACKWARD ALL FROM c),
		'a CTE that is kept, and set operations' => telling() . q(WITH h AS MATERIALIZED (SELECT * FROM workflow_track.event_history) SELECT count(*) FROM h WHERE pg_temp.tell(h::text); SELECT facility FROM workflow_track.event_history EXCEPT SELECT 'NORTH' ORDER BY 1),
		'LATERAL, and a moment that a row gives' => telling() . q(SELECT count(*) FROM (SELECT timestamptz '2024-03-01' AS t) m CROSS JOIN LATERAL workflow_track.care_loop_at(m.t) l WHERE pg_temp.tell(l::text)),
		'a set-returning function in the columns' => q(SELECT count(*) FROM (SELECT unnest(ARRAY[e.patient_id, e.facility]) FROM workflow_track.event_history e) x),
		'workers that run in parallel' => q(SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SELECT count(*) FROM workflow_track.event_history),
		# Logs for other programs, and what they are made of.
		'a log of encounters' => q(SELECT * FROM workflow_track.export_xes(); SELECT * FROM workflow_track.export_xes(facility => 'SOUTH')),
		'a log of patients, under pseudonyms' => q(SELECT * FROM workflow_track.export_xes(cases => 'patients', salt => 'a salt nobody guesses')),
		'an object-centric log' => q(SELECT * FROM workflow_track.export_ocel(); SELECT * FROM workflow_track.export_ocel(NULL, NULL, 'SOUTH', 'a salt nobody guesses')),
		'the events of a log' => join('; ', map { "SELECT md5(string_agg((to_jsonb(e) - 'recorded_at')::text, ',')), count(*) FROM workflow_track.log_events(NULL, NULL, NULL, '$_') e" } qw(encounters patients events)),
		'the events of a log of the other hospital' => q(SELECT * FROM workflow_track.log_events(NULL, NULL, 'SOUTH', 'patients')),
		'how much a log leaves out' => q(SELECT workflow_track.log_left_out(NULL, NULL, NULL, 'encounters'), workflow_track.log_left_out(NULL, NULL, 'SOUTH', 'encounters')),
		'causes of denials' => q(SELECT * FROM workflow_track.denial_cause('2024-01-01', '2024-02-01') ORDER BY 1, 2; SELECT * FROM workflow_track.denial_cause(NULL, NULL) ORDER BY 1, 2),
		'numbers of two patients' => q(SELECT * FROM workflow_track.identity_conflicts() ORDER BY 1, 2, 3, event_id),
		'numbers of messages' => q(SELECT hour, facility, from_system, to_system, message_type, messages, rejected, events FROM workflow_track.flow_counts(NULL, NULL) ORDER BY 2, 3, 4, 5; SELECT count(*) FROM workflow_track.data_flow(NULL)),
		'systems that sent' => q(SELECT from_system, to_system, message_type, facility FROM workflow_track.flows_seen('infinity') ORDER BY 1, 2, 3, 4),
		'arrows of a picture' => q(SELECT * FROM workflow_track.picture_edges('routes', 1, '2024-01-01', '2024-02-01', NULL) ORDER BY 1, 2, 3; SELECT * FROM workflow_track.picture_edges('routes', 1, NULL, NULL, 'SOUTH') ORDER BY 1, 2, 3),
		'a picture in either way' => q(SELECT workflow_track.picture_dot('routes', 1, '2024-01-01', '2024-02-01', NULL, ''), workflow_track.picture_mermaid('routes', 1, '2024-01-01', '2024-02-01', 'SOUTH', '')),
		'deviations of cases' => q(SELECT * FROM workflow_track.deviations('routes', 1, NULL, NULL)),
		'the whole as XML and JSON' => q(SELECT length(query_to_xml('SELECT * FROM workflow_track.misrouted_result', true, false, '')::text), length(json_agg(m)::text) FROM workflow_track.misrouted_result m),
	);

	# Functions that tell of the map, of settings, or of their caller: nobody learns of anything recorded by them.
	my %bare = (
		'what there is of the map' => q(SELECT workflow_track.workflow_document('routes', 1), workflow_track.existing_document('routes', 1), workflow_track.workflow_has_run('routes', 1), workflow_track.workflow_has_run('SECRET', 1)),
		'paths and scenarios of the map' => q(SELECT * FROM workflow_track.allowed_steps('routes', 1); SELECT * FROM workflow_track.scenario_coverage('routes', 1); SELECT workflow_track.scenario_document('order'); SELECT * FROM workflow_track.picture_steps('routes', 1)),
		'a trace that is made up' => q(SELECT * FROM workflow_track.workflow_alignment('routes', 1, '{order.placed,result.final,order.placed}'); SELECT * FROM workflow_track.workflow_alignment('routes', 1, '{SECRET}')),
		'versions compared' => q(SELECT * FROM workflow_track.compare_workflows('routes', 1, 'default', 1)),
		'the map in BPMN' => q(SELECT workflow_track.import_bpmn(workflow_track.export_bpmn('routes', 1))),
		'who one is' => q(SELECT workflow_track.sees_all_facilities(), workflow_track.visible_facilities(), workflow_track.facility_is_visible('SOUTH'), workflow_track.facility_is_visible('SECRET'), workflow_track.test_patients_shown(), workflow_track.burden_limits()),
		'whether a rollup is used' => q(SELECT workflow_track.follows_are_kept()),
		'windows of flows' => q(SELECT workflow_track.flow_window_start('2024-01-10', NULL, '08:00', '17:00', 'UTC')),
	);

	# What is refused to everyone but a superuser, whatever is recorded: each statement.
	%refusal = (
		'statistics themselves' => [ q(SELECT * FROM pg_statistic), q(SELECT * FROM pg_statistic_ext_data) ],
		'numbers given last' => [ q(SELECT currval('workflow_track.event_event_id_seq')), q(SELECT nextval('workflow_track.event_event_id_seq')), q(SELECT last_value FROM workflow_track.event_event_id_seq) ],
		'files of the server' => [ q(SELECT pg_read_file('postgresql.conf')), q(COPY (SELECT 1) TO PROGRAM 'cat'), q(COPY workflow_track.care_loop TO '/tmp/x'), q(SELECT lo_import('/etc/passwd')), q(SELECT pg_ls_dir('.')) ],
		'what is written ahead' => [ q(SELECT pg_create_logical_replication_slot('x', 'test_decoding')), q(SELECT pg_logical_slot_peek_changes('x', NULL, NULL)) ],
		'health, which is for administrators' => [ q(SELECT * FROM workflow_track.health), q(SELECT * FROM workflow_track.check_consistency()) ],
		'bodies of messages' => [ q(SELECT body FROM workflow_track.message), q(SELECT * FROM workflow_track.inbox), q(SELECT raw FROM workflow_track.message) ],
		'another role' => [ q(SET ROLE all_of_it), q(SET SESSION AUTHORIZATION all_of_it), q(ALTER ROLE all_of_it PASSWORD 'x'), q(GRANT workflow_track_admin TO north), q(SET ROLE workflow_track_admin) ],
		'more facilities for oneself' => [ q(INSERT INTO workflow_track.facility_access VALUES ('north', '*')), q(UPDATE workflow_track.facility_access SET facility = '*'), q(SELECT * FROM workflow_track.facility_access) ],
		'a report replaced' => [ q(CREATE OR REPLACE VIEW workflow_track.care_loop AS SELECT 1), q(ALTER VIEW workflow_track.care_loop RESET (security_barrier)), q(CREATE OR REPLACE FUNCTION workflow_track.facility_is_visible(facility text) RETURNS boolean LANGUAGE sql AS 'SELECT true'), q(ALTER FUNCTION workflow_track.facility_is_visible(text) COST 1000) ],
		'conditions that claim to leak nothing' => [ q(CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS 'SELECT true') ],
		'views of one\'s own over the tables' => [ q(CREATE VIEW pg_temp.v AS SELECT * FROM workflow_track.event; SELECT * FROM pg_temp.v) ],
		'functions of one\'s own over the tables' => [ q(CREATE FUNCTION pg_temp.f() RETURNS SETOF workflow_track.event LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM workflow_track.event'; SELECT * FROM pg_temp.f()) ],
		'functions that see every facility' => [ q(SELECT * FROM workflow_track.every_unfolded_handoff(true)), q(SELECT workflow_track.fold_follows()), q(SELECT workflow_track.fold_marked_follows(1)), q(SELECT workflow_track.fold_diary()), q(SELECT * FROM workflow_track.check_diary()), q(SELECT * FROM workflow_track.make_pages('{}')), q(SELECT workflow_track.cancelled_events('{SECRET patient}')), q(SELECT workflow_track.merged_patient_ids('SECRET patient', '{}')), q(SELECT * FROM workflow_track.joined_patients(true)) ],
		'a scenario played' => [ q(SELECT workflow_track.play_scenario('order', 'SECRET patient')), q(SELECT workflow_track.define_scenario('{}')) ],
		'a partition of a month' => [ q(SELECT * FROM workflow_track.event_before), q(SELECT * FROM workflow_track.) . (list(q(SELECT partition_name FROM workflow_track.months() ORDER BY upper_bound DESC LIMIT 1)))[0] ],
	);
	for my $table (grep { !/\.(event_kind|workflow.*|expectation|duplicate_rule|billing_rule|burden_limit|facility|scenario|hl7v2_mapping)$/ } all_tables())
	{
		$refusal{"table $table"} = [ map { $_ . $table } 'SELECT * FROM ', 'TABLE ONLY ', 'SELECT count(*) FROM ', 'SELECT ctid, xmin FROM ' ];
		push @{ $refusal{"table $table"} }, "COPY $table TO STDOUT", "BEGIN; LOCK TABLE $table IN ACCESS SHARE MODE; ROLLBACK";
	}

	# Each function that an analyst may call is among these, is a type's own, or computes what it returns of its arguments.
	my $tried = join ' ', values %attempt, values %bare, values %conceded;
	my %computes = map { $_ => 1 } qw(clinical_code clinical_code_prefix clinical_code_starts_with clinical_code_within code_system code_value
		check_salt dot_text duration_in_short flow_covers hl7v2 hl7v2_first hl7v2_segments hl7v2_values latency_histogram longest map_duration mean merge mermaid_text message_key_hash
		object_type ocel_types patients_own picture_sign picture_text pseudonym quantile quantiles rounded_limit sample_count shortest spoken_list type_in_short xes_attribute xes_time);

	for my $function (list(q(
		SELECT p.proname || CASE WHEN p.prosecdef THEN ' with the rights of its owner' ELSE '' END || CASE WHEN count(*) OVER (PARTITION BY p.proname) > 1 THEN ' of several' ELSE '' END FROM pg_proc p WHERE p.pronamespace = 'workflow_track'::regnamespace AND has_function_privilege('north', p.oid, 'EXECUTE')
			AND NOT EXISTS (SELECT FROM pg_type t WHERE p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend)) AND NOT EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid)
			AND NOT EXISTS (SELECT FROM pg_amproc a WHERE a.amproc = p.oid) AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.prosupport = p.oid)
			AND NOT EXISTS (SELECT FROM pg_aggregate a WHERE p.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn))
		ORDER BY 1)))
	{
		my ($name) = $function =~ /^(\w+)/;

		ok($tried =~ /workflow_track\.$name\(/ || $computes{$function}, "an analyst tries function $function");
	}

	my ($two, $one) = map { answers($_, 'north', \%attempt) } @databases;
	my ($all_two, $all_one) = map { answers($_, 'all_of_it', \%attempt) } @databases;
	my ($owner_two, $owner_one) = map { answers($_, $owner, \%attempt) } @databases;
	for my $name (sort keys %attempt)
	{
		refused($two->{$name} eq $one->{$name} && $two->{$name} !~ /SECRET|^ERROR:  (?!P0002: there is no case)/m, "of SOUTH an analyst of NORTH learns nothing by $name", $two->{$name});
		ok($all_two->{$name} ne $all_one->{$name} || $owner_two->{$name} ne $owner_one->{$name}, "who may see everything does, by $name")
		  or diag(substr($owner_two->{$name}, 0, 1000));
	}
	refused_each('two', 'north', \%refusal);

	my ($bare_two, $bare_one) = map { answers($_, 'north', \%bare) } @databases;
	my ($bare_owner_two, $bare_owner_one) = map { answers($_, $owner, \%bare) } @databases;
	for my $name (sort keys %bare)
	{
		refused($bare_two->{$name} eq $bare_one->{$name} && $bare_two->{$name} !~ /ERROR/, "of SOUTH an analyst of NORTH learns nothing by $name", $bare_two->{$name});
		is($bare_owner_two->{$name}, $bare_owner_one->{$name}, "and nobody does by $name");
	}

	# What the server shows of others, or of what is in tables: a count, that is none for who may not see it.
	my %hidden = (
		'statistics of columns' => q(SELECT count(*) FROM pg_stats WHERE schemaname = 'workflow_track' AND tablename !~ '^(event_kind|workflow.*|expectation|duplicate_rule|billing_rule|burden_limit|facility|scenario|hl7v2_mapping)$'),
		'statistics of expressions' => q(SELECT count(*) FROM pg_stats_ext_exprs WHERE schemaname = 'workflow_track'),
		'statistics of more' => q(SELECT count(*) FROM pg_stats_ext WHERE schemaname = 'workflow_track'),
		'queries of others' => q(SELECT count(*) FROM pg_stat_statements WHERE userid = (SELECT extowner FROM pg_extension WHERE extname = 'workflow_track') AND query <> '<insufficient privilege>'),
		'settings of the server\'s files' => q(SELECT count(*) FROM pg_settings WHERE name IN ('data_directory', 'hba_file', 'ident_file')),
		'passwords' => q(SELECT count(*) FROM pg_roles WHERE has_table_privilege('pg_authid', 'SELECT')),
	);
	my ($theirs, $owners) = map { answers('two', $_, \%hidden) } 'north', $owner;
	for my $name (sort keys %hidden)
	{
		refused($theirs->{$name} eq "0\n" && $owners->{$name} =~ /^[1-9]/, "an analyst sees nothing in $name", $theirs->{$name});
	}
}

# Passes for each list of statements if every one of them is refused to a user for want of rights.
sub refused_each
{
	my ($db, $user, $refusal) = @_;
	my $told = answers($db, $user, { map { $_ => join '; ', @{ $refusal->{$_} } } keys %$refusal });

	for my $name (sort keys %$refusal)
	{
		my $errors = () = $told->{$name} =~ /^ERROR:  42501: /gm;

		refused($errors == @{ $refusal->{$name} } && $told->{$name} !~ /SECRET/, "$user is refused $name", $told->{$name});
	}
}

# What docs/security.md says can be found out all the same, and nothing else of it.
sub concede
{
	for my $db (@databases)
	{
		$node->safe_psql($db, q(SELECT workflow_track.define_workflow('{"workflow": "flows", "version": 1, "state": "current", "flows": [{"from": "SECRETEHR", "to": "SECRETHUB", "types": ["ORU^*"]}]}');)
			. ($db eq 'two' ? q(
				INSERT INTO workflow_track.inbox (body) VALUES (E'MSH|^~\\&|SECRETEHR|SOUTH|SECRETHUB||20240111||ORU^R01|SECRETid3|P|2.5\rPID|1||north patient\rORC|RE|north order|SECRET number\rOBR|1|north order|SECRET number|1^x^L|||||||||||||||||||20240111|||F');
				SELECT workflow_track.record_event('vitals.recorded', 'SECRET early', 'EHR', timestamptz '2023-06-15' + n * interval '1 minute', facility => 'SOUTH') FROM generate_series(1, 500) n;) : '')
			. q(SELECT workflow_track.record_event('order.placed', 'north numbers', 'EHR', '2024-01-25', facility => 'NORTH')));
	}
	my ($two, $one) = map { answers($_, 'north', \%conceded) } @databases;

	# Its names are the map's, and secret to nobody.
	$node->safe_psql($_, q(SELECT workflow_track.set_workflow_state('flows', 1, 'retired'))) for @databases;
	for my $name (sort keys %conceded)
	{
		ok($two->{$name} ne $one->{$name} && "$two->{$name}$one->{$name}" !~ /SECRET|ERROR/, "an analyst of NORTH finds out $name, and no more") or diag("$two->{$name}$one->{$name}");
	}
}

# What the server shows of others who are at work, and of what is prepared: the same whoever is recorded, but for locks.
sub watch
{
	my %attempt = (
		'sessions' => q(SELECT datname = current_database(), usename, application_name, client_addr, query_start, state, wait_event, query FROM pg_stat_activity WHERE usename = 'feed'),
		'what is copied' => q(SELECT relid, command, type, bytes_processed, tuples_processed FROM pg_stat_progress_copy),
		'what is prepared' => q(SELECT gid, owner FROM pg_prepared_xacts WHERE database = current_database()),
		'tables that are locked' => q(SELECT DISTINCT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND l.locktype = 'relation' AND n.nspname IN ('workflow_track', 'pg_toast') AND l.pid IS DISTINCT FROM pg_backend_pid() ORDER BY 1, 2),
		'locks on rows' => q(SELECT count(*) FROM pg_locks WHERE locktype IN ('tuple', 'page', 'advisory')),
		'who waits' => q(SELECT count(*) FROM pg_locks WHERE NOT granted),
	);
	my $locks = q(SELECT count(*), sum(objid::bigint) FROM pg_locks WHERE locktype = 'userlock' AND objid <= 1024 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()));
	my (%told, %owner, %locks);

	for my $db (@databases)
	{
		my ($facility, $mark) = $db eq 'two' ? ('SOUTH', 'SECRET') : ('NORTH', 'north');
		my ($in, $out) = ('', '');
		my $feed = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr($db), '-U', 'feed' ], '<', \$in, '>', \$out, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));

		$in = "BEGIN; SELECT workflow_track.record_event('vitals.recorded', '$mark patient', '${mark}EHR', '2024-01-26', facility => '$facility', value => '$mark value'); PREPARE TRANSACTION 'recorded';
			BEGIN; SELECT workflow_track.record_event('vitals.recorded', '$mark other', '${mark}EHR', '2024-01-26', facility => '$facility', value => '$mark value');
			COPY workflow_track.event (facility, patient_id, kind, occurred_at, value) FROM STDIN;\n$facility\t$mark third\tvitals.recorded\t2024-01-26\t$mark value\n";
		$feed->pump_nb;
		ok($node->poll_query_until($db, q(SELECT count(*) = 1 FROM pg_stat_progress_copy WHERE datname = current_database())), "somebody records in $db");
		($told{$db}, $owner{$db}, $locks{$db}) = (answers($db, 'north', \%attempt), answers($db, $owner, \%attempt), answer($db, 'north', $locks));
		$in = "\\.\nROLLBACK; ROLLBACK PREPARED 'recorded';\n";
		$feed->finish;
	}
	for my $name (sort keys %attempt)
	{
		refused($told{two}{$name} eq $told{one}{$name} && $told{two}{$name} !~ /SECRET|SOUTH|ERROR/, "an analyst of NORTH is not shown of whom others record: $name", "$told{two}{$name}$told{one}{$name}");
	}
	unlike($told{two}{'sessions'}, qr/COPY|idle|active/, 'nor what others do');
	like($owner{two}{'sessions'}, qr/active.*COPY workflow_track/, 'which who may see everything is');
	like($locks{$_}, qr/^[2-9]\|/, "an analyst finds out that somebody records, by locks of patients, in $_") for @databases;
	isnt($locks{two}, $locks{one}, 'and in which of a thousand parts their ids fall');
}

# What stands in a hidden row cannot be found by asking whether it is this or that, nor by halving: a plan that was run
# looks the same, whether there is such a row or not.  It does not of what an index leads to, which is this and no more,
# however the caller has his plans made.  (What plans are made of is taken away: concede() has estimates.)
sub halve
{
	my %told_by = map { $_ => 1 } (
		# Patients, the rules that wait for something of them, and where; when what happened to them happened, was wrong, or was settled.
		(map { "$_.patient_id" } qw(billing_finding billing_mismatch care_loop claim claim_outcome duplicate_entry event_history handoff loop misrouted_result missed_follow_up missing_field missing_information overdue_loop unacknowledged_result)),
		qw(billing_finding.since billing_mismatch.since charge_lag.day claim.submitted_at claim_outcome.submitted_at duplicate_entry.duplicate_at event_history.occurred_at handoff_latency_hourly.hour misrouted_result.occurred_at missing_field.occurred_at missing_field.settled_at missing_information.occurred_at identity_conflict.since identity_finding.since),
		(map { ("$_.expectation", "$_.workflow", "$_.facility") } qw(care_loop loop)), 'loop.expectation_id', (map { "$_.facility" } qw(missed_follow_up overdue_loop task_queue unacknowledged_result message_exception)),
		# Numbers; the sorts of messages, and of handoffs.
		qw(event_history.event_id), (map { ("$_.message_id", "$_.message_type") } qw(message_arrival message_exception)), (map { "handoff_latency_hourly.$_" } qw(basis facility from_role to_role from_system to_system)),
		qw(loop.settled_at message_arrival.received_at message_exception.received_at), (map { "$_.opened_at" } qw(care_loop loop missed_follow_up overdue_loop unacknowledged_result)),
	);
	my %may_tell = map { ("$_.due_at" => 1) } qw(care_loop loop missed_follow_up overdue_loop unacknowledged_result);
	$may_tell{$_} = 1 for map { ("$_.source_system", "$_.receiving_system") } qw(message_arrival message_exception);
	my %wrong = (
		'text' => 'nothing', 'timestamp with time zone' => '2001-01-01 00:00:00+00', 'date' => '2024-01-29', 'bigint' => 0, 'integer' => 0, 'interval' => '77 years', 'double precision' => 77, 'text[]' => '{nothing}', 'jsonb' => '{}',
		'workflow_track.clinical_code' => 'local:X|nothing', 'workflow_track.severity' => 'normal', 'workflow_track.entry_method' => 'interface', 'workflow_track.time_precision' => 'year', 'timestamp with time zone[]' => '{2001-01-01 00:00:00+00}',
		'workflow_track.latency_histogram' => list(q(SELECT workflow_track.latency_histogram(interval '1 year'))));
	# Of what the map has, or the server makes the planner know, something that there could be.
	my %wrong_of = (version => 2, problem => 'silent', status => 'rejected', map { $_ => 'unused' } qw(workflow expectation rule step));
	my @columns = map { [ split /\|/ ] } list(q(
		SELECT c.relname, a.attname, format_type(a.atttypid, NULL), EXISTS (SELECT FROM pg_attribute p WHERE p.attrelid = c.oid AND p.attname = 'patient_id')
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind = 'v' AND c.relname NOT IN ('health', 'inbox')
			-- What the planner knows that it cannot be, and a week that begins before the days that are read.
			AND (c.relname, a.attname) NOT IN (('flow_gap', 'problem'), ('workaround_signal', 'week')) ORDER BY 1, a.attnum));
	# how many workers a plan gets is chance
	my $plans = 'SET search_path = workflow_track; SET client_min_messages = error; SET max_parallel_workers_per_gather = 0; SET enable_seqscan = off';
	my (%value, %right, %wrong_one, %told);
	my $seen = 0;

	$node->safe_psql('two', q(
		INSERT INTO workflow_track.facility_access VALUES ('nothing', 'WEST');
		SELECT workflow_track.define_workflow('{"workflow": "unused", "version": 2, "state": "current", "steps": [{"step": "unused", "kind": "immunization.administered", "start": true, "end": true, "repeatable": true}], "transitions": [["unused", "unused"]],
			"expectations": [{"name": "unused", "category": "order", "after": ["immunization.administered"], "expect": ["order.placed"], "correlated_by": "subject", "within": "1 day"}]}');
		SELECT workflow_track.maintain();
		SET allow_system_table_mods = on; DELETE FROM pg_statistic s USING pg_class c WHERE c.oid = s.starelid AND c.relnamespace = 'workflow_track'::regnamespace; DELETE FROM pg_statistic_ext_data));
	%value = %{ answers('two', $owner, { map { ("$_->[0].$_->[1]" => "SELECT max($_->[1]\::text) FROM workflow_track.$_->[0] WHERE facility = 'SOUTH'") } @columns }) };
	for my $column (@columns)
	{
		my ($report, $name, $type, $has_patient) = @$column;
		my $value = $value{"$report.$name"} =~ s/\n\z//r;
		my $wrong = $type eq 'boolean' ? ($value eq 't' ? 'f' : 't') : $wrong_of{$name} // $wrong{$type};

		next if $value eq '';
		die "no value of $type" if !defined $wrong;
		for my $patient ('', $has_patient eq 't' && $name ne 'patient_id' ? "patient_id = 'SECRET patient' AND " : ())
		{
			# Of two indexes both may lead to a row.
			my $asked = sub { return "$plans;" . ($patient ? ' SET enable_indexscan = off;' : '') . " EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT 1 FROM $report WHERE $patient$name = '$_[0]'" };
			my $key = "$report.$name" . ($patient ? ' of a patient' : '');

			$right{$key} = $asked->($value =~ s/'/''/gr);
			$wrong_one{$key} = $asked->($wrong);
		}
	}
	# What was asked is in plans as well.
	my ($yes, $no) = map { answers('two', 'nothing', $_) } \%right, \%wrong_one;
	my $all = answers('two', 'all_of_it', \%right);
	for my $key (sort keys %right)
	{
		for ($yes->{$key}, $no->{$key}, $all->{$key})
		{
			s/'[^']*'//g;
			s/= \(?-?[0-9.]+\)?/= /g;
			s/NOT |[()]//g;
		}
		my ($column) = $key =~ /^(\S+)/;

		$told{$column}++ if $yes->{$key} ne $no->{$key};
		$seen++ if $all->{$key} ne $yes->{$key};
		refused($yes->{$key} eq $no->{$key}, "a plan does not tell what $key of a hidden row is", "$yes->{$key}\n$no->{$key}") unless $told_by{$column} || $may_tell{$column};
	}
	# Other servers choose other plans.
	if ($node->pg_version < 16)
	{
		ok($told{$_}, "a plan tells where $_ leads to") for sort keys %told_by;
	}
	cmp_ok($seen, '>', 500, 'and where what is not hidden is');
}

# --- a patient of both hospitals ------------------------------------------------------------------------------------

# What a row of one's own facility may name of another is what docs/security.md says, column by column.
sub share
{
	my %allowed = map { $_ => 1 } qw(
		care_loop.closed_by care_loop.closed_by_role loop.closed_by loop.closed_by_role missed_follow_up.closed_by missed_follow_up.closed_by_role
		duplicate_entry.original_system duplicate_entry.original_actor
		handoff.from_actor handoff.from_role handoff.from_system
		handoff_latency.from_role handoff_latency.from_system handoff_latency_hourly.from_role handoff_latency_hourly.from_system
		misrouted_result.claimed_by);
	my (%attempt, %told);

	$node->safe_psql('two', q(
		INSERT INTO workflow_track.staff (actor, role) VALUES ('SECRETboth', 'provider');
		INSERT INTO workflow_track.event (facility, patient_id, encounter_id, subject, item, value, actor, actor_role, recipient, source_system, severity, entry_method, kind, occurred_at)
			SELECT f.facility, 'both', 'both visit', 'both subject', 'both item', 'both value', f.mark || 'both', CASE WHEN k.kind = 'result.acknowledged' THEN 'provider' ELSE f.mark || 'role' END, f.mark || 'recipient', f.mark || 'system', 'critical', 'manual', k.kind,
				timestamptz '2024-01-20' + k.n * interval '1 hour'
			FROM (VALUES (1, 'order.placed', 'NORTH'), (2, 'handoff.offered', 'SOUTH'), (3, 'handoff.accepted', 'NORTH'), (4, 'result.final', 'NORTH'), (5, 'result.acknowledged', 'SOUTH'),
				(6, 'data.entered', 'SOUTH'), (7, 'data.entered', 'NORTH'), (8, 'result.final', 'SOUTH'), (9, 'result.viewed', 'NORTH'), (10, 'referral.sent', 'NORTH'), (300, 'referral.accepted', 'SOUTH'),
				(11, 'procedure.documented', 'SOUTH'), (20, 'charge.captured', 'NORTH'), (21, 'claim.submitted', 'NORTH'), (22, 'claim.denied', 'SOUTH')) k (n, kind, facility)
			JOIN (VALUES ('NORTH', 'north'), ('SOUTH', 'SECRET')) f (facility, mark) USING (facility);));
	for my $column (list(q(
		SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind = 'v' AND c.relname NOT IN ('health', 'inbox') AND NOT a.attisdropped)))
	{
		my ($report, $name) = split /\./, $column;

		$attempt{$column} = telling() . "SELECT count(*) FROM workflow_track.$report WHERE pg_temp.tell($name\::text)";
	}
	%told = %{ answers('two', 'north', \%attempt) };
	for my $column (sort keys %attempt)
	{
		if ($allowed{$column})
		{
			like($told{$column}, qr/told: SECRET/, "$column names what happened elsewhere");
		}
		else
		{
			refused($told{$column} !~ /told|ERROR/, "of a patient of both hospitals an analyst of NORTH learns nothing by $column", $told{$column});
		}
	}
	$attempt{$_} =~ s/SELECT count/SET ROLE all_of_it; SELECT count/ for keys %attempt;
	%told = %{ answers('two', 'all_of_it', \%attempt) };
	cmp_ok(scalar(grep { /told/ } values %told), '>', 60, 'who may see everything is told by most columns');
}

# --- who is let in ----------------------------------------------------------------------------------------------------

sub admit
{
	my $seen = q(SELECT count(DISTINCT facility) FROM workflow_track.event_history; SELECT count(*) > 0 FROM workflow_track.care_loop; SELECT workflow_track.sees_all_facilities(););
	my $nothing = "0\nf\nf\n";
	my $given = sub {
		my ($role, $facility) = map { s/'/''/gr } @_;

		$node->safe_psql('two', "DELETE FROM workflow_track.facility_access WHERE role_name NOT IN ('north', 'all_of_it', 'workflow_track_admin'); INSERT INTO workflow_track.facility_access VALUES ('$role', '$facility')");
	};

	# Names that are nearly another's.
	for my $names ([ 'nothing', 'NORTH ' ], [ 'nothing', 'north' ], [ 'nothing', 'SOUTH,NORTH' ], [ 'nothing', '{SOUTH,NORTH}' ], [ 'nothing', 'SOUT%' ], [ 'nothing', 'SOUT_' ], [ 'nothing', '**' ], [ 'nothing', ' *' ], [ 'nothing', '"*"' ],
		[ 'nothing', "NORTH\n" ], [ 'nothing', "' OR true OR '" ], [ 'nothing', '' ], [ 'NOTHING', '*' ], [ 'nothing ', '*' ], [ '"nothing"', '*' ], [ 'no"thing', '*' ], [ 'public', '*' ], [ 'PUBLIC', '*' ], [ 'current_user', '*' ], [ 'none', '*' ],
		[ '*', '*' ], [ '', '*' ], [ 'noth%', '*' ], [ 'all_of_it', 'NORTH ' ], [ 'pg_database_owner', '*' ])
	{
		$given->(@$names);
		my $told = answer('two', 'nothing', $seen);
		refused($told eq $nothing, "\"$names->[1]\" of \"$names->[0]\" is nothing to an analyst without a facility" =~ s/\n/ /r, $told);
	}
	$given->('nothing', 'NORTH');
	is(answer('two', 'nothing', $seen), "1\nt\nf\n", 'and the right names are something');

	# Names that would be SQL, a pattern or an array name themselves.
	for my $facility ("we\"ird, {x} %s '\$\$ \\", "line\nbreak", '*x', "\x{e9}", 'F' x 3000)
	{
		my $quoted = q(') . Encode::encode('UTF-8', $facility =~ s/'/''/gr) . q(');

		$node->safe_psql('two', "DELETE FROM workflow_track.facility_access WHERE role_name = 'nothing'; INSERT INTO workflow_track.facility_access VALUES ('nothing', $quoted);
			INSERT INTO workflow_track.event (facility, patient_id, kind, occurred_at, subject, severity) VALUES ($quoted, 'named oddly', 'result.final', '2024-01-20', 'x', 'critical')");
		is(answer('two', 'nothing', $seen), "1\nt\nf\n", 'a facility is seen, whatever it is called: ' . substr($facility =~ s/[^ -~]/?/gr, 0, 30));
	}

	# Roles: members need not inherit; who was a member is not one.
	$given->('ward', 'NORTH');
	is(answer('two', 'guest', $seen), "1\nt\nf\n", 'a member sees what the role does');
	is(answer('two', 'no_inherit', "SET ROLE ward; $seen"), "1\nt\nf\n", 'one that does not inherit does as the role');
	refused(answer('two', 'no_inherit', $seen) =~ /^(ERROR:  42501.*\n(LINE.*\n.*\n)?LOCATION.*\n){3}$/, 'and nothing else', '');
	refused(answer('two', 'nothing', $seen) eq $nothing, 'who is no member sees nothing', '');
	$node->safe_psql('two', 'REVOKE ward FROM guest');
	refused(answer('two', 'guest', $seen) eq $nothing, 'nor who was one', '');
	$node->safe_psql('two', 'GRANT ward TO guest; DROP OWNED BY ward');
	$node->safe_psql('one', 'DROP OWNED BY ward; DROP ROLE ward; CREATE ROLE ward');
	refused(answer('two', 'guest', $seen) eq $nothing, 'nor who was one of a role that was dropped, and made anew', '');
	$node->safe_psql('two', 'GRANT ward TO guest');
	is(answer('two', 'guest', $seen), "1\nt\nf\n", 'whose members see what the rows of its name say');
	my $long = 'r' x 63;
	# A role of as long a name as there can be is none of a longer one.
	$node->safe_psql('two', "CREATE ROLE $long LOGIN; GRANT workflow_track_analyst TO $long");
	$given->("${long}r", '*');
	refused(answer('two', $long, $seen) eq $nothing, 'a name that is cut off is no role', '');
	$given->($long, '*');
	like(answer('two', $long, $seen), qr/t\nt\n$/, 'one that is not is');

	# A session that has plans: of each kind, before and after its role may see less.
	my $executed = q(EXECUTE rows; EXECUTE loops('NORTH'); EXECUTE moment; SELECT pg_temp.counted(););
	my $told = answer('two', $owner, qq(
		SET SESSION AUTHORIZATION north;
		PREPARE rows AS SELECT count(*) > 0 FROM workflow_track.event_history; PREPARE loops(text) AS SELECT count(*) > 0 FROM workflow_track.care_loop WHERE facility = \$1;
		PREPARE moment AS SELECT count(*) > 0 FROM workflow_track.care_loop_at('2024-03-01');
		CREATE FUNCTION pg_temp.counted() RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN RETURN count(*) > 0 FROM workflow_track.handoff_latency; END \$\$;
		$executed SET plan_cache_mode = force_generic_plan; $executed
		RESET SESSION AUTHORIZATION; DELETE FROM workflow_track.facility_access WHERE role_name = 'north'; SET SESSION AUTHORIZATION north; $executed
		RESET SESSION AUTHORIZATION; INSERT INTO workflow_track.facility_access VALUES ('north', 'NORTH'); SET SESSION AUTHORIZATION north; $executed));
	$told =~ s/^WARNING.*\n//gm;
	refused($told eq "t\n" x 8 . "f\n" x 4 . "t\n" x 4, 'a session that has plans sees what its role may see now', $told);
	$told = answer('two', $owner, q(
		GRANT north TO all_of_it; SET SESSION AUTHORIZATION all_of_it; PREPARE rows AS SELECT count(DISTINCT facility) > 1 FROM workflow_track.event_history; SET plan_cache_mode = force_generic_plan; EXECUTE rows; EXECUTE rows;
		SET ROLE north; EXECUTE rows; RESET ROLE; EXECUTE rows; RESET SESSION AUTHORIZATION; REVOKE north FROM all_of_it));
	refused($told eq "t\nt\nf\nt\n", 'and a plan made for who sees more, executed for who sees less, shows less', $told);
}

# --- a recorder wants to read, alter and delete ---------------------------------------------------------------------

sub change
{
	my ($month) = list(q(SELECT partition_name FROM workflow_track.months() ORDER BY upper_bound DESC LIMIT 1));
	my %refusal = (
		'a month to write into' => [ "INSERT INTO workflow_track.$month (patient_id, kind, occurred_at) VALUES ('x', 'order.placed', now())", "SELECT * FROM workflow_track.$month", "ALTER TABLE workflow_track.event DETACH PARTITION workflow_track.$month" ],
		'the partition before the first month' => [ q(INSERT INTO workflow_track.event_before (patient_id, kind, occurred_at) VALUES ('x', 'order.placed', '2001-01-01')) ],
		'recorded_at' => [ q(INSERT INTO workflow_track.event (recorded_at, patient_id, kind, occurred_at) VALUES ('2001-01-01', 'x', 'order.placed', '2024-01-10')) ],
		'event_id' => [ q(INSERT INTO workflow_track.event (event_id, patient_id, kind, occurred_at) OVERRIDING SYSTEM VALUE VALUES (1, 'x', 'order.placed', '2024-01-10')), q(SELECT setval('workflow_track.event_event_id_seq', 1)) ],
		'rows back by RETURNING' => [ map { "INSERT INTO workflow_track.event (patient_id, kind, occurred_at) VALUES ('x', 'order.placed', '2024-01-10') RETURNING $_" } '*', 'patient_id', 'recorded_at', 'event', 'ctid' ],
		'ON CONFLICT' => [ q(INSERT INTO workflow_track.event (patient_id, kind, occurred_at) VALUES ('x', 'order.placed', '2024-01-10') ON CONFLICT (event_id, occurred_at) DO UPDATE SET value = 'x'), q(INSERT INTO workflow_track.subject_alias VALUES ('x', 'y', 'z') ON CONFLICT (patient_id, alias, subject) DO UPDATE SET subject = 'x' RETURNING *) ],
		'MERGE' => [ q(MERGE INTO workflow_track.event e USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE), q(MERGE INTO workflow_track.event e USING (SELECT 1) x ON e.patient_id = 'x' WHEN NOT MATCHED THEN INSERT (patient_id, kind, occurred_at) VALUES ('x', 'order.placed', now())) ],
		'what others recorded, by a condition' => [ q(SELECT event_id FROM workflow_track.event WHERE patient_id = 'north patient'), q(SELECT event_id FROM workflow_track.event ORDER BY occurred_at), q(SELECT event_id FROM workflow_track.event FOR UPDATE), q(SELECT tableoid, event_id FROM workflow_track.event) ],
		'a retraction' => [ q(SELECT workflow_track.retract_event(1, 'x')), q(INSERT INTO workflow_track.retraction (patient_id, event_id, occurred_at, retracted_reason, retracted_by) VALUES ('x', 1, now(), 'x', 'x')), q(SELECT * FROM workflow_track.cancelled_events('{x}')) ],
		'triggers off' => [ q(SET session_replication_role = replica), q(ALTER TABLE workflow_track.event DISABLE TRIGGER event_recorded), q(DROP TRIGGER event_unchangeable ON workflow_track.event), q(CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION workflow_track.event_recorded()) ],
		'operation' => [ q(SELECT workflow_track.pause_detection()), q(SELECT workflow_track.resume_detection()), q(SELECT workflow_track.drop_before('2024-02-01', true)), q(CALL workflow_track.rebuild()), q(SELECT workflow_track.setup()), q(SELECT workflow_track.maintain()), q(SELECT workflow_track.prepare_restore('2024-01-01')),
			q(SELECT workflow_track.ensure_partitions('2001-01-01', now())), q(SELECT workflow_track.make_month('2001-01-01')), q(SELECT workflow_track.drop_months(now(), '{}')), q(SELECT workflow_track.check_consistency()) ],
		'the map' => [ q(SELECT workflow_track.define_workflow('{"workflow": "x", "version": 1}')), q(SELECT workflow_track.set_workflow_state('default', 1, 'retired')), q(SELECT workflow_track.play_scenario('order')) ],
		'messages' => [ q(SELECT workflow_track.reprocess(1)), q(SELECT workflow_track.reprocess_where('rejected')), q(SELECT * FROM workflow_track.inbox), q(SELECT * FROM workflow_track.message_trace('north order')), q(SELECT * FROM workflow_track.message_events()), q(INSERT INTO workflow_track.inbox (body) VALUES ('x') RETURNING *) ],
		'reports' => [ q(SELECT * FROM workflow_track.care_loop), q(SELECT * FROM workflow_track.event_history), q(SELECT * FROM workflow_track.care_loop_at(now())), q(SELECT workflow_track.is_active_actor('northa', now())), q(SELECT workflow_track.role_in_staff('northa', '', '', now())) ],
		'locks' => [ (map { "BEGIN; LOCK TABLE workflow_track.$_; ROLLBACK" } 'event IN ACCESS EXCLUSIVE MODE', 'event IN SHARE MODE', 'event IN ACCESS SHARE MODE', 'care_loop', 'inbox'), q(SELECT workflow_track.exclude_detection()), q(SELECT workflow_track.try_exclude_detection()) ],
		'the schema' => [ q(CREATE TABLE workflow_track.x (i int)), q(CREATE FUNCTION workflow_track.x() RETURNS int LANGUAGE sql AS 'SELECT 1'), q(ALTER EXTENSION workflow_track UPDATE), q(DROP EXTENSION workflow_track CASCADE), q(DROP SCHEMA workflow_track CASCADE), q(ALTER FUNCTION workflow_track.retract_event(bigint, text) OWNER TO feed), q(GRANT SELECT ON workflow_track.event TO feed), qq(REASSIGN OWNED BY $owner TO feed), q(COMMENT ON TABLE workflow_track.event IS 'x') ],
		'tables that hang on ours' => [ q(CREATE TABLE feed.x (patient_id text, alias text, subject text, FOREIGN KEY (patient_id, alias, subject) REFERENCES workflow_track.subject_alias)), q(CREATE TABLE feed.x () INHERITS (workflow_track.subject_alias)), q(CREATE TABLE feed.x PARTITION OF workflow_track.event DEFAULT), q(CREATE STATISTICS pg_temp.x ON patient_id, value FROM workflow_track.event), q(CREATE INDEX x ON workflow_track.event (value)), q(CREATE PUBLICATION x FOR TABLE workflow_track.event), q(CREATE POLICY x ON workflow_track.event) ],
		'parts of detection' => [ q(SELECT workflow_track.touch_patients(ARRAY['x'], ARRAY[now()], ARRAY[true])), q(SELECT workflow_track.detect_now(true)), q(SELECT workflow_track.mark_stale()), q(SELECT workflow_track.event_recorded()), q(SELECT workflow_track.hl7v2_mapping_check()), q(CREATE TEMP TABLE x (patient_id text); CREATE TRIGGER x AFTER INSERT ON x FOR EACH ROW EXECUTE FUNCTION workflow_track.patient_touched()), q(CREATE TRIGGER y AFTER INSERT ON x FOR EACH ROW EXECUTE FUNCTION workflow_track.mark_stale('name', '(true); DELETE FROM workflow_track.staff; --')) ],
		'files that are others\'' => [ (map { ("SELECT * FROM workflow_track.csv_events('$_', '{\"columns\": {\"patient_id\": \"actor\"}}')", "SELECT workflow_track.import_csv('x', '$_', '{\"columns\": {\"patient_id\": \"actor\"}}')") } 'workflow_track.staff', 'workflow_track.event', 'pg_catalog.pg_authid', 'workflow_track.care_loop'),
			q(SELECT workflow_track.import_xes('x', large_object => 424242)), q(SELECT * FROM workflow_track.xes_events(large_object => 424242)), q(SELECT * FROM workflow_track.xes_rows(NULL, 424242)), q(DELETE FROM workflow_track.import), q(SELECT * FROM workflow_track.import_problem) ],
		'the server' => [ q(COPY workflow_track.event (patient_id) FROM PROGRAM 'id'), q(COPY workflow_track.inbox (body) FROM '/etc/passwd'), q(ALTER SYSTEM SET workflow_track.test_patients = on), q(LOAD 'pg_stat_statements'), q(SELECT pg_read_binary_file('base/1')) ],
	);
	for my $table (all_tables())
	{
		my ($column) = list("SELECT attname FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 ORDER BY attnum LIMIT 1");

		$refusal{"to alter $table"} = [ "UPDATE $table SET $column = DEFAULT", "DELETE FROM $table", "TRUNCATE $table CASCADE", "ALTER TABLE $table DISABLE TRIGGER ALL", "ALTER TABLE $table ALTER $column TYPE text", "DROP TABLE $table CASCADE",
			"CREATE RULE r AS ON INSERT TO $table DO INSTEAD NOTHING", "CREATE TRIGGER t BEFORE INSERT ON $table EXECUTE FUNCTION suppress_redundant_updates_trigger()" ];
		push @{ $refusal{"to alter $table"} }, "INSERT INTO $table DEFAULT VALUES" unless $table =~ /\.(event|subject_alias|import|import_problem)$/;
		$refusal{"to read $table"} = [ "SELECT * FROM $table", "COPY $table TO STDOUT" ] unless $table =~ /\.(event_kind|hl7v2_mapping|import)$/;
	}
	$node->safe_psql('two', q(SELECT lo_from_bytea(424242, '<log/>')));
	my $events = q(SELECT count(*), md5(string_agg(e::text, ',' ORDER BY event_id)) FROM workflow_track.event e);
	my $before = $node->safe_psql('two', $events);
	refused_each('two', 'feed', \%refusal);
	is($node->safe_psql('two', $events), $before, 'and no event was added, altered or lost');

	# What a recorder has done is not told by errors, nor by what comes of it.
	my %attempt = (
		'an alias that is there' => q(INSERT INTO workflow_track.subject_alias VALUES ('SECRET patient', 'SECRET order', 'SECRET filler'); INSERT INTO workflow_track.subject_alias VALUES ('SECRET patient', 'SECRET order', 'SECRET filler')),
		'a kind that is not' => q(SELECT workflow_track.record_event('none', 'SECRET patient', 'EHR')),
		'a message that came before' => q(SELECT workflow_track.ingest_hl7v2(E'MSH|^~\\\\&|again|SOUTH|||20240110||MFN^M02|again|P|2.5\rPID|1||SECRET patient') !~ 'MSA.AA'),
		'a prepared transaction' => q(BEGIN; SELECT workflow_track.record_event('order.placed', 'p', 'EHR') IS NULL; PREPARE TRANSACTION 'feed'; ROLLBACK PREPARED 'feed'),
	);
	my $told = answers('two', 'feed', \%attempt);
	refused($told->{$_} !~ /DETAIL|^t$/m, "nothing is told of $_", $told->{$_}) for sort keys %attempt;
	is(answer('two', 'feed', q(INSERT INTO workflow_track.event (patient_id, facility, kind, occurred_at) VALUES ('x', 'NORTH', 'order.placed', '2024-01-10') RETURNING event_id > 0; SELECT workflow_track.record_event('order.placed', 'x', 'EHR') > 0)), "t\nt\n", 'a recorder records');
}

# --- objects planted to be called -----------------------------------------------------------------------------------

# Every function, aggregate and operator of the server and of ours that could be mistaken for another stands a second time,
# in a schema that is ahead of all others in the search path, and tells with whose rights it is called: the caller's are his
# own affair.  In schema public, where in databases older than PostgreSQL 15 everybody may create, they stand too, and others
# of types that may come closer to what is written: there not even the caller's rights are to be had.
sub plant
{
	my $planting = q(
		SET ROLE mallory; SET search_path = pg_catalog; SET check_function_bodies = off; SET client_min_messages = error;
		CREATE FUNCTION SCHEMA.note(what text) RETURNS void LANGUAGE plpgsql AS 'BEGIN IF CONDITION THEN RAISE WARNING ''planted % is called as %'', what, current_user; END IF; END';
		CREATE TABLE SCHEMA.not_planted (what text, why text);
		DO $do$
		DECLARE
			f record;
			variant text[];
			arguments text;
			body text;
			step text;
		BEGIN
			FOR f IN SELECT p.proname, p.prokind, p.proretset, p.pronargs, row_number() OVER () AS n,
					replace(pg_get_function_arguments(p.oid), '"any"', CASE WHEN p.provariadic <> 0 THEN 'anyarray' ELSE 'anyelement' END) AS arguments, pg_get_function_result(p.oid) AS result
				FROM pg_catalog.pg_proc p
				WHERE p.pronamespace IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname IN ('pg_catalog', 'workflow_track')) AND p.prokind <> 'w' AND p.prorettype <> ALL ('{internal,cstring,trigger,event_trigger}'::regtype[]) AND NOT p.proargtypes::oid[] && '{internal,cstring}'::regtype[]::oid[]
			LOOP
				FOREACH variant SLICE 1 IN ARRAY VARIANTS LOOP
					arguments := regexp_replace(regexp_replace(f.arguments, variant[1], variant[2], 'g'), ' DEFAULT [^,]*(,|$)', '\1', 'g');
					CONTINUE WHEN variant[1] <> 'as it is' AND arguments = f.arguments;
					body := format('BEGIN PERFORM SCHEMA.note(%L); RETURN%s; END', f.proname, CASE WHEN f.prokind <> 'a' AND (f.proretset OR f.result IN ('void', 'record') OR arguments ~ '(^|, )(OUT|INOUT) ') THEN '' ELSE ' NULL' END);
					BEGIN
						IF f.prokind = 'a' THEN
							step := format('%I', 'step_' || f.n || '_' || variant[2]);
							EXECUTE format('CREATE FUNCTION SCHEMA.%s(%s) RETURNS text LANGUAGE plpgsql AS %L', step,
								concat_ws(', ', 'text', nullif(CASE WHEN arguments ~ 'ORDER BY' THEN regexp_replace(arguments, '^.*ORDER BY ', '') ELSE arguments END, '')), body);
							EXECUTE format('CREATE AGGREGATE SCHEMA.%I(%s) (SFUNC = SCHEMA.%s, STYPE = text)', f.proname, CASE WHEN f.pronargs = 0 THEN '*' ELSE arguments END, step);
						ELSE
							EXECUTE format('CREATE %s SCHEMA.%I(%s) %s LANGUAGE plpgsql AS %L', CASE f.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, f.proname, arguments, 'RETURNS ' || f.result, replace(body, CASE f.prokind WHEN 'p' THEN 'RETURN NULL;' ELSE '' END, ''));
						END IF;
					EXCEPTION WHEN OTHERS THEN
						INSERT INTO SCHEMA.not_planted SELECT format('%s(%s) returns %s', f.proname, f.arguments, f.result), SQLERRM WHERE variant[1] = 'as it is';
					END;
				END LOOP;
			END LOOP;
			FOR f IN SELECT o.oprname, format_type(nullif(o.oprleft, 0), NULL) AS l, format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS result, row_number() OVER () AS n
				FROM pg_catalog.pg_operator o WHERE o.oprnamespace IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname IN ('pg_catalog', 'workflow_track'))
			LOOP
				FOREACH variant SLICE 1 IN ARRAY VARIANTS LOOP
					arguments := regexp_replace(concat_ws(', ', f.l, f.r), variant[1], variant[2], 'g');
					step := format('%I', 'operator_' || f.n || '_' || variant[2]);
					CONTINUE WHEN variant[1] <> 'as it is' AND arguments = concat_ws(', ', f.l, f.r);
					BEGIN
						EXECUTE format('CREATE FUNCTION SCHEMA.%s(%s) RETURNS %s LANGUAGE plpgsql AS %L', step, arguments, f.result, format('BEGIN PERFORM SCHEMA.note(%L); RETURN NULL; END', f.oprname));
						EXECUTE format('CREATE OPERATOR SCHEMA.%s (%s RIGHTARG = %s, FUNCTION = SCHEMA.%s)', f.oprname, 'LEFTARG = ' || regexp_replace(f.l, variant[1], variant[2]) || ',', regexp_replace(f.r, variant[1], variant[2]), step);
					EXCEPTION WHEN OTHERS THEN
						INSERT INTO SCHEMA.not_planted SELECT format('operator %s(%s)', f.oprname, arguments), SQLERRM WHERE variant[1] = 'as it is';
					END;
				END LOOP;
			END LOOP;
			FOR f IN SELECT c.relname AS name FROM pg_catalog.pg_class c WHERE c.relnamespace IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'workflow_track') AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition LOOP
				EXECUTE format('CREATE TABLE SCHEMA.%I (x integer)', f.name);
			END LOOP;
			FOREACH arguments IN ARRAY '{clinical_code,hl7v2,severity,latency_histogram,entry_method,time_precision,timestamptz,text,jsonb}'::text[] LOOP
				EXECUTE format('CREATE DOMAIN SCHEMA.%I AS text', arguments);
			END LOOP;
			CREATE COLLATION SCHEMA."C" (PROVIDER = libc, LOCALE = 'POSIX');
		END
		$do$;
	);
	my %planted = (
		mallory => [ "session_user OPERATOR(pg_catalog.<>) current_user OR current_user OPERATOR(pg_catalog.=) ''$owner''", q('{{as it is, same}}'::text[]) ],
		public => [ 'true', q('{{as it is, same}, {\\\\mtext\\\\M, name}, {\\\\mtext\\\\M, character varying}, {timestamp with time zone, date}, {timestamp with time zone, timestamp without time zone}, {\\\\mbigint\\\\M, integer}, {\\\\minteger\\\\M, smallint}, {\\\\mdouble precision\\\\M, numeric}, {\\\\mjsonb\\\\M, json}}'::text[]) ],
	);
	# The extension may be made, too, where there is something already.
	$node->safe_psql('postgres', 'CREATE DATABASE three');
	refused(answer('three', 'mallory', 'CREATE TABLE public.event (x int)') =~ /ERROR:  42501/, 'nothing can be planted in public, unless it is an older database', '') if $node->pg_version >= 15;
	for my $place ([ 'two', 'mallory' ], [ 'two', 'public' ], [ 'three', 'public' ])
	{
		my ($db, $schema) = @$place;
		my ($condition, $variants) = @{ $planted{$schema} };

		$node->safe_psql($db, "GRANT ALL ON SCHEMA $schema TO PUBLIC; " . ($planting =~ s/SCHEMA/$schema/gr =~ s/CONDITION/$condition/r =~ s/VARIANTS/$variants/gr));
		cmp_ok($node->safe_psql($db, "SELECT count(*) FROM pg_proc WHERE pronamespace = '$schema'::regnamespace"), '>', $schema eq 'public' ? 5000 : 3500, "much is planted in $schema of $db");
		is($node->safe_psql($db, "SELECT * FROM $schema.not_planted WHERE why !~ '^PL/pgSQL functions cannot (accept|return) type|must use VARIADIC type ANY|already exists'"), '', "and all of it that can be");
	}
	for my $path ('"$user", public', 'public, pg_catalog')
	{
		my $told = answer('three', $owner, "SET client_min_messages = warning; SET search_path = $path; BEGIN; CREATE EXTENSION workflow_track; SELECT workflow_track.setup(); ROLLBACK");

		refused($told !~ /planted|ERROR/, "the extension is made and set up, and calls nothing planted, with the path $path", $told);
	}

	my $temporary = join '', map { "CREATE TEMP TABLE $_ (x integer); " } list(q(SELECT relname FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition));
	my $import = q(
			CREATE TEMP TABLE csv (n pg_catalog.int8 GENERATED ALWAYS AS IDENTITY, patient pg_catalog.text, what pg_catalog.text, at pg_catalog.text);
			INSERT INTO csv (patient, what, at) VALUES ('planted', 'order.placed', '2024-01-10 08:00'), ('planted', 'nothing', '2024-01-10'), ('', 'order.placed', '10.1.2024');
			SELECT 1 FROM workflow_track.csv_events('pg_temp.csv', '{"columns": {"activity": "what", "patient_id": "patient", "occurred_at": "at", "detail": {"constant": "{}"}}, "timezone": "UTC"}');
			SELECT workflow_track.import_csv(CAST(pg_catalog.gen_random_uuid() AS pg_catalog.text), 'pg_temp.csv', '{"columns": {"activity": "what", "patient_id": "patient", "occurred_at": ["at", "@row"], "code": {"constant": "x"}}, "kinds": {"nothing": "data.entered"}, "timezone": "UTC", "detail": ["n"]}');
			SELECT workflow_track.import_xes(CAST(pg_catalog.gen_random_uuid() AS pg_catalog.text), '<log><trace><string key="patient_id" value="planted"/><event><string key="concept:name" value="order.placed"/><date key="time:timestamp" value="2024-01-10T08:00:00Z"/></event></trace></log>');
			SELECT 1 FROM workflow_track.xes_events('<log/>'););
	$temporary .= 'CREATE DOMAIN pg_temp.clinical_code AS text; CREATE DOMAIN pg_temp.hl7v2 AS text; CREATE DOMAIN pg_temp.severity AS text; CREATE DOMAIN pg_temp.text AS integer; CREATE DOMAIN pg_temp.timestamptz AS integer;
		CREATE FUNCTION pg_temp.now() RETURNS pg_catalog.text LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING \'planted % is called as %\', \'now\', current_user; RETURN NULL; END $$; ';
	my %calls = (
		feed => q(
			INSERT INTO workflow_track.event (patient_id, facility, kind, occurred_at, subject) VALUES ('planted', 'NORTH', 'result.final', '2024-01-10', 'p');
			SELECT workflow_track.record_event('order.placed', 'planted', 'EHR', '2024-01-10'::pg_catalog.timestamptz, subject => 'p');
			INSERT INTO workflow_track.event (patient_id, facility, kind, occurred_at, subject) VALUES ('planted', 'NORTH', 'patient.merged', '2024-01-10', 'planted2');
			INSERT INTO workflow_track.subject_alias VALUES ('planted', 'p', pg_catalog.gen_random_uuid());
			SELECT workflow_track.ingest_hl7v2(E'MSH|^~\\\\&|EHR|NORTH|||20240110||ADT^A01|planted|P|2.5\rEVN||20240110\rPID|1||planted\rPV1|1|I|||||||||||||||||pv'::pg_catalog.text);
			INSERT INTO workflow_track.inbox (body) VALUES (E'MSH|^~\\&|EHR|NORTH|||20240110||ADT^A11|planted2|P|2.5\rEVN||20240110\rPID|1||planted\rPV1|1|I|||||||||||||||||pv');
			SELECT workflow_track.make_recordable(CURRENT_TIMESTAMP);) . $import,
		north => (join ' ', map { "SELECT 1 FROM $_;" } reports_of()) . q(SELECT 1 FROM workflow_track.message_trace('planted'); SELECT workflow_track.discover_workflow('x');
			SELECT workflow_track.workflow_picture('routes', 1, 'dot', '2024-01-01', '2024-02-01'); SELECT workflow_track.export_bpmn('routes', 1); SELECT workflow_track.import_bpmn(workflow_track.export_bpmn('routes', 1));
			SELECT 1 FROM workflow_track.compare_workflows('routes', 1, 'routes', 1); SELECT 1 FROM workflow_track.check_scenario('order', 'north patient'); SELECT workflow_track.workflow_document('routes', 1);
			SELECT 1 FROM workflow_track.export_xes(); SELECT 1 FROM workflow_track.export_xes(cases => 'patients', salt => 'a salt nobody guesses'); SELECT 1 FROM workflow_track.export_ocel(); SELECT 1 FROM workflow_track.scenario_tap('order', 'north patient');
			SELECT 1 FROM workflow_track.scenario_coverage('routes', 1); SELECT 1 FROM workflow_track.workflow_alignment('routes', 1, '{order.placed}'); SELECT 1 FROM workflow_track.denial_cause(NULL, NULL); SELECT 1 FROM workflow_track.data_flow(NULL);
			SELECT 1 FROM workflow_track.burden_change('2024-01-01', '2024-02-01', '2024-02-01', '2024-03-01'); SELECT 1 FROM workflow_track.version_loops('default', 1); SELECT workflow_track.is_unmatched_result('north patient', 1);
			SELECT workflow_track.import_bpmn(workflow_track.export_bpmn('routes', 1), 'x', 2, '{}'); SELECT workflow_track.workflow_picture('routes', 1, 'mermaid');),
		boss => q(SELECT workflow_track.define_workflow(pg_catalog.jsonb_set('{"workflow": "planted", "version": 1, "state": "current", "expectations": [{"name": "x", "category": "order", "after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject", "within": "1 day"}]}', '{workflow}', pg_catalog.to_jsonb(pg_catalog.gen_random_uuid())));
			INSERT INTO workflow_track.staff (actor, role) VALUES ('planted', 'nurse'); UPDATE workflow_track.staff SET role = 'provider' WHERE actor OPERATOR(pg_catalog.=) 'planted'; DELETE FROM workflow_track.staff WHERE actor OPERATOR(pg_catalog.=) 'planted';
			CALL workflow_track.catch_up(); CALL workflow_track.rebuild(); SELECT workflow_track.maintain(); SELECT 1 FROM workflow_track.check_consistency(); SELECT 1 FROM workflow_track.health;
			SELECT workflow_track.retract_event(workflow_track.record_event('order.placed', 'planted', 'EHR', '2024-01-10'::pg_catalog.timestamptz), 'planted');
			SELECT workflow_track.drop_before('2001-01-01'::pg_catalog.timestamptz, true); SELECT workflow_track.ensure_partitions('2024-01-01'::pg_catalog.timestamptz, '2024-02-01'::pg_catalog.timestamptz);
			SELECT workflow_track.reprocess(1); SELECT 1 FROM workflow_track.reprocess_where('unmapped'); SELECT workflow_track.pause_detection(); SELECT workflow_track.resume_detection(); SELECT 1 FROM workflow_track.play_scenario('order');
			INSERT INTO workflow_track.hl7v2_mapping (name, message, kind) VALUES ('planted', '{ZZZ^Z01}', E'\'data.entered\''); DELETE FROM workflow_track.hl7v2_mapping WHERE name OPERATOR(pg_catalog.=) 'planted';
			SELECT workflow_track.define_scenario('{"scenario": "planted", "steps": [{"step": "order", "kind": "order.placed", "performed_by": ["nurse"]}, {"step": "result", "kind": "result.final", "within": "1 hour"}], "never": [{"kind": "result.cancelled", "after": "order"}]}'); SELECT 1 FROM workflow_track.play_scenario('planted');) . $import,
		$owner => q(SELECT workflow_track.setup();),
	);
	for my $user (sort keys %calls)
	{
		my $told = answers('two', $user, {
			'planted in public' => $calls{$user},
			'planted in a schema' => "SET search_path = mallory, pg_catalog, public; $calls{$user}",
			'planted in a schema, with ours' => "SET search_path = mallory, workflow_track, pg_catalog; $calls{$user}",
			'temporary' => "$temporary SET search_path = pg_temp, pg_catalog, workflow_track; $calls{$user}",
		});

		for my $name (sort keys %$told)
		{
			my ($caught) = $told->{$name} =~ /(planted .* is called as .*)/;

			refused(!$caught, "nothing $name is called with other rights than the caller's: $user", $caught);
			# What dies early calls little.
			unlike($told->{$name}, qr/ERROR/, "and all that $user calls works: $name");
		}
	}
	like(answer('two', 'mallory', q(SET search_path = mallory, pg_catalog; SET client_min_messages = warning; SELECT mallory.note('x'); CREATE FUNCTION pg_temp.careless() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM mallory.note(lower(''A'')); RETURN true; END'; SELECT pg_temp.careless())) .
		answer('two', $owner, q(CREATE FUNCTION pg_temp.careless() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM lower(''A''); END'; GRANT USAGE ON SCHEMA pg_temp TO PUBLIC; SET SESSION AUTHORIZATION feed; SET search_path = mallory, pg_catalog; SELECT pg_temp.careless())),
		qr/planted lower is called as \Q$owner\E/, 'what is careless is caught');
	like(answer('two', 'feed', q(SELECT lower('A'::varchar))), qr/planted lower is called as feed/, 'and what comes closer in public');
	refused(answer('two', 'mallory', $_) =~ /ERROR:  42501/, "nothing can be planted: $_", '') for 'CREATE FUNCTION workflow_track.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$', 'CREATE CAST (text AS workflow_track.hl7v2) WITH INOUT AS IMPLICIT',
		'CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION mallory.x()', 'CREATE OPERATOR CLASS mallory.x DEFAULT FOR TYPE workflow_track.clinical_code USING btree AS OPERATOR 1 <', 'CREATE DEFAULT CONVERSION mallory.x FOR \'LATIN1\' TO \'UTF8\' FROM iso8859_1_to_utf8_nowhere', 'ALTER ROLE feed SET search_path = mallory';
	# What comes now is others' affair.
	$node->safe_psql('two', 'ALTER SCHEMA public RENAME TO planted; CREATE SCHEMA public');
}

# --- names that are SQL ---------------------------------------------------------------------------------------------

sub inject
{
	my @names = ("x'; DROP TABLE workflow_track.staff; --", '"x"', '$$; DROP TABLE workflow_track.staff; $$', '%s %I %L %1$s %n', "\\'; SELECT 1; --", 'x' x 200, "' OR true OR '", '$1', ':x', '{"x": [1', '{a,b}', '$.steps[*]', 'x); --', '*', '<string key="x"/>&amp;]]><!--', '"]; drop [x="', "\x{e9}\x{2603}\x{1f3e5}", "\x{202e}\x{feff}x");
	my $staff = $node->safe_psql('two', 'SELECT count(*) FROM workflow_track.staff');
	my $n = 0;

	for my $name (@names)
	{
		my $quoted = "convert_from('\\x" . unpack('H*', Encode::encode('UTF-8', $name)) . "', 'UTF8')";
		my $hl7v2 = $name =~ s/([|^~\\&])/{'|' => '\\F\\', '^' => '\\S\\', '~' => '\\R\\', '\\' => '\\E\\', '&' => '\\T\\'}->{$1}/ger;
		my $message = "convert_from('\\x" . unpack('H*', Encode::encode('UTF-8', $hl7v2)) . "', 'UTF8')";
		my $trimmed = "translate($quoted, E' \\t\\n', '')";
		my $short = "left($quoted, 20)";
		my $told = answer('two', 'boss', qq(
			SELECT workflow_track.define_workflow(jsonb_build_object('workflow', $quoted, 'version', 1, 'state', 'current',
				'steps', jsonb_build_array(jsonb_build_object('step', $quoted, 'kind', 'result.final', 'performed_by', jsonb_build_array($quoted), 'in', jsonb_build_array($quoted), 'delivered_to', jsonb_build_array($quoted))),
				'transitions', jsonb_build_array(jsonb_build_array($quoted, $quoted)),
				'expectations', jsonb_build_array(jsonb_build_object('name', $quoted, 'category', 'order', 'after', jsonb_build_array('result.final'), 'expect', jsonb_build_array('result.viewed'), 'by', jsonb_build_array($quoted), 'escalate_to', $quoted,
					'when', jsonb_build_object('facility', $quoted, 'detail', jsonb_build_object($quoted, $quoted)), 'correlated_by', 'subject', 'within', '1 day')),
				'duplicates', jsonb_build_array(jsonb_build_object('name', $quoted, 'kind', 'data.entered', 'same', jsonb_build_array('value'), 'within', '1 day')),
				'flows', jsonb_build_array(jsonb_build_object('from', $quoted, 'to', $quoted, 'types', jsonb_build_array('ADT^*'), 'every', '1 hour', 'during', jsonb_build_object('from', '08:00', 'until', '17:00', 'timezone', 'UTC'))),
				'billing', jsonb_build_array(jsonb_build_object('codes', 'local:X|' || $trimmed, 'documented_by', jsonb_build_array('procedure.documented'), 'requires_modifiers', jsonb_build_array($trimmed), 'within', '1 hour')))) IS NOT NULL;
			SELECT count(*) = 1 FROM workflow_track.flow_gap WHERE workflow = $quoted AND from_system = $quoted AND to_system = $quoted ;
			SELECT workflow_track.workflow_document($quoted, 1) ->> 'workflow' = $quoted, length(workflow_track.workflow_picture($quoted, 1)) > 0, length(workflow_track.workflow_picture($quoted, 1, 'mermaid')) > 0,
				workflow_track.import_bpmn(workflow_track.export_bpmn($quoted, 1)) = workflow_track.workflow_document($quoted, 1);
			SELECT count(*) = 0 FROM workflow_track.compare_workflows($quoted, 1, $quoted, 1);
			INSERT INTO workflow_track.staff (actor, role, facility, system) VALUES ($quoted, $quoted, $quoted, $quoted);
			INSERT INTO workflow_track.facility VALUES ($quoted, $quoted, 'UTC');
			INSERT INTO workflow_track.facility_access VALUES ($quoted, $quoted);
			INSERT INTO workflow_track.test_patient VALUES ($quoted); DELETE FROM workflow_track.test_patient WHERE patient_id = $quoted;
			INSERT INTO workflow_track.hl7v2_source (source_system, facility, timezone, charset, id_namespace) VALUES ($quoted, $quoted, 'UTC', NULL, NULL);
			INSERT INTO workflow_track.hl7v2_mapping (name, message, kind, value) VALUES ($quoted, '{ZZZ^Z$n}', E'\\'data.entered\\'', '''' || replace($quoted, '''', '''''') || '''');
			SELECT workflow_track.record_event('data.entered', $quoted, $quoted, facility => $quoted, subject => $quoted, item => $quoted, actor => $quoted, recipient => $quoted, encounter_id => $quoted, value => $quoted, detail => jsonb_build_object($quoted, $quoted)) > 0;
			SELECT workflow_track.record_event('result.final', $quoted, $quoted, facility => $quoted, subject => $quoted, encounter_id => $quoted, detail => jsonb_build_object($quoted, $quoted)) > 0;
			SELECT workflow_track.ingest_hl7v2('MSH|^~\\&|' || $message || '|' || $message || '|||20240110||ZZZ^Z$n|' || $message || E'|P|2.5\\rPID|1||' || $message || E'\\rPV1|1|I|||||||||||||||||' || $message) ~ 'MSA.AA';
			SELECT count(*) > 0 FROM workflow_track.message_trace($quoted);
			SELECT count(*) > 0 FROM workflow_track.patient_handoffs($quoted) HAVING false;
			SELECT count(*) > 0 FROM workflow_track.directly_follows(NULL, facility => $quoted, kinds => ARRAY['data.entered', $quoted]);
			SELECT jsonb_array_length(workflow_track.discover_workflow($quoted, facility => $quoted) -> 'steps') > 0;
			SELECT workflow_track.define_scenario(jsonb_build_object('scenario', $quoted, 'workflow', $quoted, 'facility', $quoted, 'steps', jsonb_build_array(jsonb_build_object('step', $quoted, 'kind', 'data.entered')), 'never', jsonb_build_array(jsonb_build_object('kind', 'result.cancelled', 'after', $quoted)))) IS NOT NULL;
			SELECT workflow_track.define_scenario(jsonb_build_object('scenario', 'by ' || $quoted, 'steps', jsonb_build_array(jsonb_build_object('step', $quoted, 'kind', 'data.entered', 'performed_by', jsonb_build_array($quoted), 'in', jsonb_build_array($quoted), 'delivered_to', jsonb_build_array($quoted))))) IS NOT NULL;
			SELECT count(*) = 1 FROM workflow_track.play_scenario('by ' || $quoted); SELECT count(*) > 1 FROM workflow_track.scenario_tap('by ' || $quoted, $quoted); SELECT count(*) > 0 FROM workflow_track.scenario_coverage($quoted, 1);
			SELECT bool_and(ok) FROM workflow_track.check_scenario($quoted, $quoted); SELECT count(*) = 1 FROM workflow_track.play_scenario($quoted);
			SELECT count(*) = 1 FROM workflow_track.care_loop WHERE workflow = $quoted AND patient_id = $quoted AND expectation = $quoted AND facility = $quoted;
			SELECT count(*) = 2 FROM workflow_track.event_history WHERE patient_id = $quoted AND encounter_id = $quoted AND facility = $quoted AND value = $quoted;
			SELECT workflow_track.record_event('charge.captured', $quoted, $quoted, facility => $quoted, encounter_id => $quoted, code => ('local:X|' || $trimmed)::workflow_track.clinical_code, detail => jsonb_build_object('modifiers', jsonb_build_array('other', $quoted), 'diagnoses', $quoted)) > 0;
			SELECT count(*) > 0 FROM workflow_track.billing_mismatch WHERE patient_id = $quoted;
			-- Files: of whatever name, with columns of whatever names, and of what they hold.
			DO \$do\$ BEGIN EXECUTE format('CREATE TEMP TABLE %1\$I (%2\$I bigint GENERATED ALWAYS AS IDENTITY, %1\$I text, t text, at text, "\@row" text); INSERT INTO pg_temp.%1\$I (%1\$I, t, at) VALUES (\$1, \$1, ''2024-01-10 08:00'')', $short, $short || 'n') USING $quoted; END \$do\$;
			SELECT recorded = 1, kept_apart = 0 FROM workflow_track.import_csv('csv ' || $quoted, format('pg_temp.%I', $short)::regclass, jsonb_build_object('columns', jsonb_build_object('activity', $short, 'occurred_at', 'at', 'patient_id', jsonb_build_object('constant', $quoted), 'encounter_id', 't',
				'facility', jsonb_build_object('constant', $quoted), 'value', 't', 'actor', jsonb_build_object('constant', $quoted), 'source_sequence', jsonb_build_array($short || 'n'), 'code', jsonb_build_object('constant', $trimmed)),
				'kinds', jsonb_build_object($quoted, 'vitals.recorded'), 'timezone', 'UTC', 'detail', jsonb_build_array($short), 'code_system', 'local'));
			SELECT recorded = 1, kept_apart = 0 FROM workflow_track.import_xes('xes ' || $quoted, xmlelement(name log, xmlelement(name trace, xmlelement(name string, xmlattributes('patient_id' AS key, $quoted AS value)), xmlelement(name event, xmlelement(name string, xmlattributes('concept:name' AS key, $quoted AS value)),
				xmlelement(name date, xmlattributes('time:timestamp' AS key, '2024-01-10T09:00:00Z' AS value)), xmlelement(name string, xmlattributes('org:group' AS key, $quoted AS value)), xmlelement(name string, xmlattributes('value' AS key, $quoted AS value)))))::text,
				mapping => jsonb_build_object('columns', jsonb_build_object('subject', 'value'), 'kinds', jsonb_build_object($quoted, 'vitals.recorded')), make_kinds => true);
			SELECT count(*) = 2, bool_or(detail = jsonb_build_object($short, $quoted)) FROM workflow_track.event_history WHERE kind = 'vitals.recorded' AND patient_id = $quoted AND facility = $quoted AND value = $quoted;
			SELECT count(*) = 4 FROM (SELECT xmlparse(DOCUMENT string_agg(l, '')) AS x FROM workflow_track.export_xes(facility => $quoted, cases => 'patients') l) e, XMLTABLE('//*[\@key="value"]' PASSING e.x COLUMNS v text PATH '\@value') v WHERE v.v = $quoted;
			SELECT jsonb_path_exists(string_agg(l, '')::jsonb, '\$.events[*].attributes[*] ? (\@.value == \$v)', jsonb_build_object('v', $quoted)) FROM workflow_track.export_ocel(facility => $quoted) l;
			SELECT count(*) > 1 FROM workflow_track.export_xes(facility => $quoted, salt => 'salt ' || repeat($quoted, 16)) l; SELECT string_agg(l, '')::jsonb IS NOT NULL FROM workflow_track.export_ocel(facility => $quoted, salt => 'salt ' || repeat($quoted, 16)) l;
			SELECT count(*) > 0 FROM workflow_track.log_events(NULL, NULL, $quoted, 'patients');
			SELECT workflow_track.set_workflow_state($quoted, 1, 'retired') IS NOT NULL;
			CALL workflow_track.catch_up();
			SELECT count(*) = 0 FROM workflow_track.check_consistency();));

		refused($told !~ /ERROR|^f$|f\||\|f/m, 'a name is a name, in maps, staff, rules, events, messages and scenarios: ' . substr($name =~ s/[^ -~]/?/gr, 0, 40), $told);
		$n++;
	}
	is($node->safe_psql('two', 'SELECT count(*) FROM workflow_track.staff'), $staff + @names, 'and every one of the staff is there');

	# What is no kind, no zone, no character set, no path and no expression is refused where it is written, in words.
	my %refusal = (
		(map { ("the kind $_" => "INSERT INTO workflow_track.event_kind (kind, category) VALUES (\$w\$$_\$w\$, 'x')") } grep { !/[^ -~]/ } @names),
		(map { ("the time zone $_" => "INSERT INTO workflow_track.hl7v2_source (source_system, facility, timezone) VALUES ('z', 'z', '$_')") } '/etc/passwd', '../../../etc/passwd', 'UTC; SELECT x', 'posixrules/../../x', '', "x\n", 'x' x 500),
		(map { ("the character set $_" => "INSERT INTO workflow_track.hl7v2_source (source_system, facility, charset) VALUES ('z', 'z', '$_')") } '/etc/passwd', 'UTF8; DROP TABLE x', 'x' x 500),
		(map { ("the expression $_" => "INSERT INTO workflow_track.hl7v2_mapping (name, message, kind) VALUES ('z', '{ZZZ^Z99}', \$w\$$_\$w\$)") } "'data.entered", 'PID-3; DROP TABLE x', 'PID[99999999999]-3', 'each each PID-3', '(SELECT 1)', '$(id)', 'PID-3 {', "PID-3 {x = 'y'", 'PID-3 where', "''''''''", 'x' x 5000, 'pg_sleep(9)'),
		(map { ("the type of messages $_" => "SELECT workflow_track.define_workflow(jsonb_build_object('workflow', 'z', 'version', 1, 'flows', jsonb_build_array(jsonb_build_object('from', 'a', 'to', 'b', 'types', jsonb_build_array(\$w\$$_\$w\$)))))") } grep { !/[^ -~]/ && !/^x+$/ } @names),
		(map { my ($key, $value) = @$_; ("the $key $value of a file" => "CREATE TEMP TABLE f (a text); SELECT workflow_track.import_csv('z', 'f', jsonb_build_object('columns', jsonb_build_object('activity', 'a'), '$key', \$w\$$value\$w\$::jsonb))") }
			[ timezone => '"UTC; SELECT x"' ], [ timezone => '"/etc/passwd"' ], [ timezone => '""' ], [ time_format => '"\'); DROP TABLE x; --"' ], [ time_format => '"YYYY"' ], [ time_format => '{"YYYY": 1}' ], [ columns => '{"activity); --": "a"}' ], [ columns => '{"activity": "a", "event_id": "a"}' ], [ columns => '{"activity": ["a", "a", "a", "a"]}' ],
			[ columns => '{"activity": {"constant": ["x"]}}' ], [ columns => '["a"]' ], [ kinds => '{"a": "order.placed; --"}' ], [ kinds => '{"a": {"b": "order.placed"}}' ], [ transitions => '"complete"' ], [ detail => '[1]' ], [ detail => '{"a": "b"}' ], [ 'x\'\'); --' => '1' ], [ '"' => '1' ]),
		(map { ("the relation $_" => "SELECT workflow_track.import_csv('z', \$w\$$_\$w\$, '{\"columns\": {\"activity\": \"a\"}}')") } 'f; DROP TABLE workflow_track.staff', '(SELECT 1) x', 'f AS t, workflow_track.staff', 'unnest(ARRAY[1])', '0', '4294967295', '-1', '', 'pg_catalog.pg_class_oid_index'),
		(map { ("the document $_" => "SELECT workflow_track.import_xes('z', \$w\$$_\$w\$)") } '<log', '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><log><trace><string key="x" value="&x;"/></trace></log>', '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><log>&b;</log>', '<!DOCTYPE l SYSTEM "http://127.0.0.1:1/x"><log/>', '', '<a/>', '<log/><log/>'),
		(map { ("the salt $_" => "SELECT * FROM workflow_track.export_xes(salt => '$_')") } 'x', ''),
		(map { ("cases of $_" => "SELECT * FROM workflow_track.export_xes(cases => '$_')") } 'events', 'x', ''),
		(map { ("the path $_" => "SELECT workflow_track.hl7v2_first(E'MSH|^~\\\\\\\\&|a'::workflow_track.hl7v2, '$_')") } 'PID-3;', 'PID', '../PID-3', 'PID-99999999999', 'PID[0]-1', '%s-1', ''),
	);
	my $told = answers('two', 'boss', { map { $_ => "\\set VERBOSITY verbose\nBEGIN; $refusal{$_}" } keys %refusal });
	for my $name (sort keys %refusal)
	{
		refused($told->{$name} =~ /^ERROR:  (22|23514|23503|42602|42P01|42809|0A000)/m && $told->{$name} !~ /ERROR.*ERROR/s && $told->{$name} !~ /root:/, 'refused: ' . substr($name =~ s/[^ -~]/?/gr, 0, 50), $told->{$name});
	}
}

# --- arguments that make no sense -----------------------------------------------------------------------------------

# Calls each function that a role may call, with values that are not meant for it and with those that SOUTH would have: what
# comes of each call, and a digest of what it answers.  There is a value of each type, or functions that are STRICT would not
# be entered.
sub misuses
{
	return <<'EOF_SQL';
SET client_min_messages = error;
CREATE TEMP TABLE bad (type regtype, value text);
INSERT INTO bad SELECT t.type, v FROM (VALUES
	('text'::regtype, ARRAY['', $q$'; DROP TABLE workflow_track.staff; --$q$, 'SECRET patient', '%s%n$1 "x" $q', 'SOUTH', repeat('x', 100000), 'default', E'\n\t\\', '*', NULL, 'SECRET order', E'MSH|^~\\&|a|b', 'routes']),
	('bigint', '{0,-1,9223372036854775807,-9223372036854775808,NULL,1,20}'), ('integer', '{1,0,-1,2147483647,-2147483648,NULL}'), ('oid', '{0,1,4294967295,424242,NULL}'), ('regclass', '{0,workflow_track.staff,pg_catalog.pg_class,4294967295,pg_catalog.pg_class_oid_index,NULL,workflow_track.event_history}'),
	('timestamptz', '{infinity,-infinity,4714-11-24 00:00:00+00 BC,294276-12-31 23:59:59+00,NULL,2024-01-15,2024-01-10}'), ('interval', '{0,-178000000 years,178000000 years,1 mon,NULL,1 hour}'),
	('date', '{infinity,-infinity,4714-11-24 BC,5874897-12-31,NULL,2024-01-10,2024-01-08}'), ('time', '{00:00,24:00,12:00,NULL}'), ('xid', '{0,3,NULL}'),
	('jsonb', ARRAY['{}', '[]', 'null', '1', '"x"', '{"workflow": 1, "steps": [{}]}', '{"workflow": "x", "version": 1, "steps": [{"step": "a", "kind": "b", "x": [[[]]]}]}', '{"columns": {"activity": "actor", "patient_id": {"constant": "x"}, "occurred_at": "at"}}', repeat('[', 3000) || repeat(']', 3000), NULL]),
	('json', ARRAY['{}', '[]', 'null', '"x"', NULL]), ('cstring', ARRAY['', 'x', '%s%n', 'loinc|2345-7', 'v1', NULL]),
	('text[]', ARRAY['{}', '{NULL}', '{a,b}', '{{a,b},{c,d}}', '[0:1]={a,b}', NULL, '{";"}', '{order.placed,result.final}']), ('bytea', ARRAY['', '\x00', '\xff4d5348', '\x4d53487c5e7e5c267c', NULL]),
	('xml', ARRAY['<a/>', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', NULL, '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>',
		'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p" name="&x;"><task id="a" name="order.placed &x;"/></process></definitions>']),
	('double precision', '{NaN,Infinity,-1,0.5,NULL,1e308}'), ('double precision[]', ARRAY['{NaN}', '{Infinity}', '{-1}', '{0.5,NULL}', NULL, '{}', '{{0.1,0.2},{0.3,0.4}}']), ('boolean', '{t,f,NULL}'),
	('workflow_track.severity', '{critical,NULL,normal}'), ('workflow_track.entry_method', '{manual,NULL}'), ('workflow_track.time_precision', '{year,second,NULL}'),
	('workflow_track.latency_histogram', ARRAY[(SELECT workflow_track.latency_histogram(i)::text FROM (VALUES (interval '1 hour'), ('9000 years'), ('0')) v (i)), NULL, (SELECT workflow_track.latency_histogram(i)::text FROM (VALUES (interval '1 hour')) v (i) WHERE false)]),
	('workflow_track.hl7v2', ARRAY[E'MSH|^~\\&|', E'MSH|^~\\&|a|b|||x||y^z\rPID|', NULL]), ('workflow_track.clinical_code', ARRAY['local:X|y', 'loinc|2345-7', NULL])) t (type, "values"), unnest(t."values") v;
CREATE FUNCTION pg_temp.misuse() RETURNS TABLE (call text, told text, answer text) LANGUAGE plpgsql AS $body$
DECLARE
	f record; n bigint; arguments text;
BEGIN
	FOR f IN SELECT p.oid, p.proname, p.prokind, p.proargtypes::oid[] AS types FROM pg_proc p
		WHERE p.pronamespace = 'workflow_track'::regnamespace AND p.prokind <> 'p' AND has_function_privilege(p.oid, 'EXECUTE') AND NOT p.prorettype = ANY ('{trigger,internal}'::regtype[])
			AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[]) AND p.proname NOT IN ('drop_before', 'pause_detection', 'maintain', 'check_consistency') ORDER BY p.oid::regprocedure::text
	LOOP
		FOR i IN 0 .. CASE WHEN f.types = '{}' THEN 0 ELSE 11 END LOOP
			answer := NULL;
			BEGIN
				SELECT coalesce(string_agg(format('%L::%s', (SELECT (array_agg(b.value))[1 + (i * o) % count(*)] FROM bad b WHERE b.type = t), t::regtype), ', ' ORDER BY o), '') INTO STRICT arguments FROM unnest(f.types) WITH ORDINALITY u (t, o);
				call := format('%s #%s %s', f.oid::regprocedure, i, left(arguments, 200));
				IF EXISTS (SELECT FROM unnest(f.types) t WHERE NOT EXISTS (SELECT FROM bad b WHERE b.type = t AND b.value IS NOT NULL)) THEN
					told := 'no value of a type';
				ELSE
					EXECUTE format('SELECT count(*) FILTER (WHERE x LIKE ''%%root:%%''), md5(string_agg(x, '','' ORDER BY x COLLATE "C")) FROM (SELECT CASE jsonb_typeof(j) WHEN ''object'' THEN j - ''{recorded_at,received_at,last_seen,overdue_by,silent_for,hour,p50,p90,p99,longest}''::text[] ELSE j END::text AS x FROM (SELECT %s AS j FROM %s) j) x',
						CASE f.prokind WHEN 'a' THEN format('to_jsonb(workflow_track.%I(%s)::text)', f.proname, arguments) ELSE 'CASE WHEN left(r::text, 1) = ''('' THEN to_jsonb(r) ELSE to_jsonb(r::text) END' END,
						CASE f.prokind WHEN 'a' THEN '(SELECT 1) r' ELSE format('workflow_track.%I(%s) r', f.proname, arguments) END) INTO n, answer;
					told := CASE WHEN n > 0 THEN 'a file' ELSE 'an answer' END;
				END IF;
			EXCEPTION WHEN OTHERS THEN
				told := SQLSTATE;
				answer := SQLERRM;
			END;
			RETURN NEXT;
		END LOOP;
	END LOOP;
END $body$;
EOF_SQL
}

# An analyst learns nothing of SOUTH by it.
sub misuse_alike
{
	my $answers = sub {
		my ($db, $user) = @_;

		return { map { /^(.*?\) #\d+) / ? ($1 => $_) : () } split /\n/, answer($db, $user, misuses() . q(SELECT translate(m.call, E'\n', ' '), m.told, translate(m.answer, E'\n', ' ') FROM pg_temp.misuse() m)) };
	};
	my ($two, $one, $all_two, $all_one) = map { my $user = $_; map { $answers->($_, $user) } @databases } 'north', 'all_of_it';
	my $differing = 0;

	cmp_ok(scalar(keys %$two), '>', 1000, 'an analyst misuses functions');
	is(join("\n", sort keys %$two), join("\n", sort keys %$one), 'the same in both databases');
	for my $function (sort keys %{ { map { s/ #\d+$//r => 1 } keys %$two } })
	{
		my @calls = grep { /^\Q$function\E #\d+$/ } sort keys %$two;
		my @differ = grep { $two->{$_} ne $one->{$_} } @calls;

		$differing++ if grep { ($all_two->{$_} // '') ne ($all_one->{$_} // '') } @calls;
		refused(!@differ, "of SOUTH an analyst of NORTH learns nothing by misuse of $function", join "\n", map { $two->{$_}, $one->{$_} } @differ) unless $function =~ /^workflow_track\.(is_active_actor|role_in_staff)\(/;
	}
	cmp_ok($differing, '>', 15, 'who may see everything learns by misuse of many');
}

# Of each call comes an error in words, or an answer, and never an internal error, SQL that does not parse, or a file of the
# server.
sub misuse
{
	my $procedures = join '', map { my $f = $_; map { "SELECT '$f($_)'; CALL $f($_);\n" } qw(NULL 0 -1 -2147483648 2147483647 1) } list(q(SELECT p.oid::regproc FROM pg_proc p WHERE p.pronamespace = 'workflow_track'::regnamespace AND p.prokind = 'p' ORDER BY 1));

	for my $user ('north', 'feed', 'boss')
	{
		my @told = map { [ split /\|/ ] } grep { /^(\d|P|an? |no )/ } split /\n/, answer('two', $user, misuses() . 'SELECT m.told, count(*), min(m.call), min(m.answer) FROM pg_temp.misuse() m GROUP BY m.told ORDER BY m.told');
		my $calls = 0;

		for my $row (@told)
		{
			# Text, numbers and times that are none, missing rows, states, limits; a month that cannot be; tables that are none.
			refused($row->[0] =~ /^(an answer|22...|23502|23503|23505|23514|42501|42704|42809|42P01|54000|55000|P0002)$/, "$user misuses functions: $row->[0], $row->[1] times", join '|', @$row);
			$calls += $row->[1];
		}
		cmp_ok($calls, '>', 500, "$user called many functions");
		my $told = answer('two', $user, $procedures);
		my @errors = $told =~ /^ERROR:  (\w+)/gm;
		my $expected = $user eq 'boss' ? '22023' : '42501';
		refused(@errors >= 8 && !grep({ $_ ne $expected } @errors), "$user misuses procedures", $told);
	}
	is($node->safe_psql('two', q(SELECT count(*) FROM workflow_track.check_consistency())), 0, 'and nothing that is kept is wrong');
}

# --- what of patients gets into messages and logs -------------------------------------------------------------------

sub spill
{
	my $mark = 'ZZPATIENTZZ';
	my $long = "(SELECT string_agg('$mark' || md5(i::text), '') FROM generate_series(1, 400) i)";
	my $message = sub { return "E'MSH|^~\\\\&|E|N|||$_[0]||$_[1]|$mark|P|2.5" . join('', map { "\\r$_" } @_[ 2 .. $#_ ]) . "'" };
	my %failing = (
		'no such kind' => qq(SELECT workflow_track.record_event('no.such', '$mark', '$mark', subject => '$mark')),
		'no patient' => qq(SELECT workflow_track.record_event('order.placed', '', 'EHR', subject => '$mark', value => '$mark')),
		'outer blanks' => qq(INSERT INTO workflow_track.event (patient_id, kind, occurred_at, value) VALUES (' $mark', 'order.placed', now(), '$mark')),
		'a time that cannot be' => qq(SELECT workflow_track.record_event('order.placed', '$mark', '$mark', '1800-01-01', value => '$mark')),
		'no time at all' => qq(SELECT workflow_track.record_event('order.placed', '$mark', '$mark', 'infinity', value => '$mark'); SELECT workflow_track.record_event('order.placed', '$mark', '$mark', NULL, value => '$mark')),
		'a month that is not there' => qq(INSERT INTO workflow_track.event (patient_id, kind, occurred_at) VALUES ('$mark', 'order.placed', '2090-01-01')),
		'nulls' => join('; ', map { qq(INSERT INTO workflow_track.event (patient_id, kind, value, occurred_at, $_) VALUES ('$mark', 'order.placed', '$mark', now(), NULL)) } qw(facility source_sequence time_precision))
			. qq(; INSERT INTO workflow_track.event (patient_id, kind, value, occurred_at) VALUES ('$mark', NULL, '$mark', now())),
		'a duplicate refused' => qq(SELECT workflow_track.record_event('data.entered', '$mark', '$mark A', value => '$mark'); SELECT workflow_track.record_event('data.entered', '$mark', '$mark B', value => '$mark')),
		'a patient merged with nobody' => join('; ', map { qq(SELECT workflow_track.record_event('patient.merged', '$mark', '$mark', subject => $_)) } 'NULL', q(''), qq('$mark')),
		'names that are too long' => qq(SELECT workflow_track.record_event('order.placed', $long, '$mark'); SELECT workflow_track.record_event('patient.merged', '$mark', '$mark', subject => $long); SELECT workflow_track.record_event('order.placed', '$mark', '$mark', encounter_id => $long, subject => $long)),
		'an alias that is there, or too long' => qq(INSERT INTO workflow_track.subject_alias VALUES ('$mark', '$mark', '$mark 2'); INSERT INTO workflow_track.subject_alias VALUES ('$mark', '$mark', '$mark 2'); INSERT INTO workflow_track.subject_alias VALUES ('$mark', '$mark', $long)),
		'a transaction that cannot commit' => qq(BEGIN; SELECT workflow_track.record_event('order.placed', '$mark', '$mark'); PREPARE TRANSACTION 'held';
			BEGIN; SET LOCAL lock_timeout = '10ms'; SELECT workflow_track.record_event('order.placed', '$mark', '$mark'); COMMIT; ROLLBACK PREPARED 'held'),
		'a prepared transaction' => qq(BEGIN; SELECT workflow_track.record_event('result.final', '$mark', '$mark', subject => '$mark', severity => 'critical'); PREPARE TRANSACTION 'spill'; ROLLBACK PREPARED 'spill'; ROLLBACK PREPARED 'spill'),
		'a message that is none' => qq(SELECT workflow_track.ingest_hl7v2('$mark') IS NULL; INSERT INTO workflow_track.inbox (body) VALUES ('$mark')),
		'a message in two ways' => qq(INSERT INTO workflow_track.inbox (body, raw) VALUES ('$mark', '$mark'); INSERT INTO workflow_track.inbox (format, body) VALUES ('fhir', '{"$mark')),
		'a message with bad times' => "SELECT workflow_track.ingest_hl7v2(" . $message->('2024', 'ADT^A01', "EVN||notime$mark", "PID|1||$mark", "PV1|1|I|||||||||||||||||$mark") . ") IS NULL; SELECT workflow_track.ingest_hl7v2(" . $message->($mark, 'ADT^A01', "PID|1||$mark") . ') IS NULL',
		'a message with bad codes and segments' => "SELECT workflow_track.ingest_hl7v2(" . $message->('20240101', 'ORU^R01', "PID|1||$mark", "OBR|1|$mark|$mark|$mark^$mark^LN|||||||||||||||||||20249901|||Q", "OBX|1|NM|$mark^$mark^LN||$mark||ZZ|||Q", "$mark|") . ') IS NULL',
		'a message of a number that is too long' => "SELECT workflow_track.ingest_hl7v2((" . $message->('20240101', 'ADT^A01', 'PID|1||') . " || $long)::text) IS NULL",
		'bytes that are no text' => qq(SELECT workflow_track.ingest_hl7v2('\\x4d5348ff'::bytea || convert_to('$mark', 'UTF8')) IS NULL; SELECT workflow_track.ingest_hl7v2(convert_to(E'MSH|^~\\\\&|E|N|||2024||ADT^A01|1|P|2.5||||||no set\\rPID|1||$mark', 'UTF8') || '\\xff') IS NULL),
		'a log that breaks off, or is none' => join('; ', map { qq(SELECT workflow_track.import_xes('spill', '$_')) } qq(<log><trace><string key="patient_id" value="$mark"/><event>), qq($mark), qq(<$mark/>), qq(<log><trace><event><string key="$mark" key="$mark"/></event></trace></log>), qq(<!DOCTYPE log [<!ENTITY x "$mark">]><log>&x;&$mark;</log>)),
		'a table of a file that cannot be recorded' => qq(CREATE TEMP TABLE f (patient text, what text, at text, t text); INSERT INTO f SELECT '$mark ' || n, 'order.placed', '2024-01-10', $long FROM generate_series(1, 6) n;
			SELECT workflow_track.import_csv('spill', 'f', '{"columns": {"activity": "patient", "patient_id": "patient", "occurred_at": "at"}, "timezone": "UTC"}'); SELECT workflow_track.import_csv('', 'f', '{"columns": {"activity": "what", "patient_id": "patient", "occurred_at": "at"}, "timezone": "UTC"}')),
		'a text that is no message' => qq(SELECT workflow_track.hl7v2('$mark'::text); SELECT workflow_track.hl7v2(E'MSH|^~\\\\&|E\\r$mark'::text); SELECT workflow_track.hl7v2_ack(workflow_track.hl7v2(E'MSH|^~\\\\&|E\\rPID|$mark'::text), 'ZZ')),
	);
	# Of these, what a type or a constraint refuses is shown by the server itself; docs/security.md says how to keep that out of the log.
	my %servers = (
		'a code, a number and an object that are none' => qq(SELECT workflow_track.record_event('order.placed', '$mark', '$mark', code => 'loinc|$mark'); SELECT workflow_track.record_event('order.placed', '$mark', '$mark', detail => '{"$mark'); SELECT '$mark'::workflow_track.severity, 'MSH|$mark'::workflow_track.hl7v2),
		'an alias of nothing' => qq(INSERT INTO workflow_track.subject_alias VALUES ('$mark', '$mark', NULL)),
	);
	my %boss = (
		'retractions' => qq(SELECT workflow_track.retract_event(-1, '$mark'); SELECT workflow_track.retract_event(workflow_track.record_event('order.placed', '$mark', '$mark'), ' ')),
		'messages read anew' => q(SELECT count(workflow_track.reprocess(message_id)) > 0 FROM workflow_track.message; SELECT workflow_track.reprocess(-1)),
		'stored messages that are none' => qq(SELECT body::workflow_track.hl7v2 FROM workflow_track.message WHERE body LIKE '%$mark%' AND status = 'rejected'),
		'operation' => q(SELECT workflow_track.maintain(); CALL workflow_track.rebuild(); SELECT count(*) FROM workflow_track.check_consistency(); SELECT workflow_track.drop_before('2024-02-01')),
		'a scenario of somebody' => qq(SELECT workflow_track.play_scenario('order', '$mark')),
	);
	$node->safe_psql('two', q(SELECT workflow_track.define_workflow('{"workflow": "refusing", "version": 1, "state": "current", "duplicates": [{"kind": "data.entered", "same": ["value"], "within": "1 day", "action": "reject"}]}')));

	my $from = -s $node->logfile;
	my %told = (%{ answers('two', 'feed', \%failing) }, %{ answers('two', 'boss', \%boss) });
	for my $name (sort keys %failing, keys %boss)
	{
		refused(($told{$name} =~ /^ERROR/m || $name =~ /^a message |^bytes|^a patient merged/) && $told{$name} =~ s/^LINE \d+:.*\n//gmr !~ /$mark/, "no patient in what is said of $name", $told{$name});
	}
	my $careful = answers('two', 'careful', \%servers);
	ok($careful->{$_} =~ /ERROR/ && $careful->{$_} =~ /$mark/, "the server tells its client about $_") for sort keys %servers;
	my $log = substr(slurp_file($node->logfile), $from);
	# A short error has a value that is no name of anybody in it, which a client should have looked at.
	my @lines = grep { /$mark/ && !/ERROR:  (invalid input (syntax|value) for|unknown kind of event)/ } split /\n/, $log;

	cmp_ok(length $log, '>', 20000, 'much was logged');
	like($log, qr/ERROR:  \w*:? ?no partition|ERROR:  .*occurred_at of an event is out of range/, 'errors among it');
	refused(@lines == 0, 'no patient in the log', join "\n", @lines);
	$from = -s $node->logfile;
	answers('two', 'feed', \%servers);
	like(substr(slurp_file($node->logfile), $from), qr/DETAIL.*$mark/, 'but where the server is let, there is');
}
