# Hostile hands: analysts of one hospital who want to know of another, recorders who want to read, alter or delete,
# objects planted to be called by the extension, names that are SQL, and what of patients gets into messages and logs.
#
# What an analyst learns is told by comparison: each attempt is made in two databases that differ in what the other
# hospital recorded, and in that alone.  Whatever comes out otherwise is a leak.

use strict;
use warnings;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

my $node = new_server('main', "shared_preload_libraries = 'pg_stat_statements'\nlog_min_error_statement = panic\nlog_min_messages = debug1\n");
my ($attempts, $refused) = (0, 0);
my @databases = qw(two one);

$node->safe_psql('postgres', q(
	CREATE ROLE north LOGIN; CREATE ROLE all_of_it LOGIN; CREATE ROLE nothing LOGIN; CREATE ROLE feed LOGIN; CREATE ROLE boss LOGIN; CREATE ROLE mallory LOGIN;
	CREATE DATABASE two; CREATE DATABASE one;
));
make_hospitals($_) for @databases;

learn();
change();
plant();
inject();
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
		(5, 'data.entered', 'a', 'EHR'), (6, 'data.entered', 'b', 'PMS'), (7, 'result.corrected', 'lab', 'LIS')) k (n, kind, actor, system);
INSERT INTO workflow_track.inbox (body) VALUES
	(E'MSH|^~\\&|MARKEHR|FACILITY|||20240110||MFN^M02|MARKid|P|2.5\rPID|1||MARK patient\rPV1|1|I|A^B^C^FACILITY||||||||||||||||MARK visit'),
	(E'MSH|^~\\&|MARKEHR|FACILITY|||20240111||ORU^R01|MARKid2|P|2.5\rPID|1||MARK patient\rORC|RE|MARK order|MARK filler\rOBR|1|MARK order|MARK filler|1^MARK^L|||||||||||||||||||20240111|||F\rOBX|1|ST|1^MARK^L||MARK value||HH|||F');
EOF_SQL
	};

	$node->safe_psql($db, q(
		CREATE EXTENSION workflow_track; SELECT workflow_track.setup(); CREATE EXTENSION pg_stat_statements;
		GRANT workflow_track_analyst TO north, all_of_it, nothing; GRANT workflow_track_recorder TO feed, mallory; GRANT workflow_track_admin TO boss;
		INSERT INTO workflow_track.facility_access VALUES ('north', 'NORTH'), ('all_of_it', '*');
		SELECT workflow_track.define_workflow('{"workflow": "routes", "version": 1, "state": "current",
			"steps": [{"step": "result", "kind": "result.final", "performed_by": ["lab"], "delivered_to": ["provider"], "repeatable": true}], "transitions": [["result", "result"]]}');
		INSERT INTO workflow_track.staff (actor, role) VALUES ('northa', 'provider');
	) . $hospital->('NORTH', 'north')
	  . q(SELECT workflow_track.maintain(); INSERT INTO workflow_track.event (facility, patient_id, kind, occurred_at, subject) VALUES ('NORTH', 'north late', 'result.final', '2024-01-12', 'x');)
	  . ($db eq 'two' ? $hospital->('SOUTH', 'SECRET') : '')
	  . q(ANALYZE workflow_track.loop_state, workflow_track.duplicate_state, workflow_track.misrouted_state;));
}

# What a user gets for a script: rows, notices and errors.
sub answer
{
	my ($db, $user, $sql) = @_;
	my ($out, $error) = ('', '');

	$node->psql($db, $sql, stdout => \$out, stderr => \$error, extra_params => [ '-U', $user ], on_error_stop => 0);
	return "$out\n$error" =~ s/^psql:[^ ]* //gmr =~ s/^Query Identifier: .*\n//gmr;
}

# Counts an attempt, and passes if it was refused.
sub refused
{
	my ($ok, $name, $told) = @_;

	$attempts++;
	$refused++ if $ok;
	ok($ok, $name) or diag(substr($told, 0, 500));
}

# Each report, as one that a user may ask: a relation for FROM.
sub reports_of
{
	return split /\n/, $node->safe_psql('two', q(
		SELECT 'workflow_track.' || relname FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind = 'v' AND relname NOT IN ('health', 'inbox')
		UNION ALL SELECT format('workflow_track.%s(''2024-02-01'')', proname) FROM pg_proc WHERE pronamespace = 'workflow_track'::regnamespace AND proname LIKE '%\_at' AND proretset
		UNION ALL SELECT unnest(ARRAY['workflow_track.directly_follows(NULL)', 'workflow_track.workflow_variant(NULL)', 'workflow_track.conformance(''routes'', 1)',
			'workflow_track.workflow_deviation(''routes'', 1)', 'workflow_track.deviation_summary(''routes'', 1)']) ORDER BY 1));
}

# --- an analyst of NORTH wants to know of SOUTH ---------------------------------------------------------------------

sub learn
{
	my @reports = reports_of();
	my %attempt;

	# Whatever a report shows, and shows of what is asked for by name.
	for my $report (@reports)
	{
		$attempt{"rows of $report"} = "SELECT md5(string_agg(r.j::text, ',' ORDER BY r.j::text)), count(*) FROM (SELECT to_jsonb(x) - '{overdue_by,recorded_at,received_at}'::text[] FROM $report x) r(j);";
		$attempt{"EXPLAIN of $report"} = "EXPLAIN (COSTS OFF, VERBOSE) SELECT * FROM $report;";
		# Functions of one's own that cost nothing are asked first, unless a barrier stands before them.
		$attempt{"a function that tells what it is shown, over $report"} = telling() . "SELECT count(*) FROM $report r WHERE pg_temp.tell(r::text);";
		$attempt{"a cast that fails and shows the value, over $report"} = "SELECT count(*) FROM $report r WHERE CASE WHEN r::text LIKE '%SECRET%' THEN r::text::integer = 1 ELSE true END;";
		$attempt{"a function in the columns, an aggregate and a window, over $report"} = telling() . "SELECT count(*) FILTER (WHERE pg_temp.tell(r::text)), max(pg_temp.tell(r::text)::int) OVER () FROM $report r GROUP BY r;";
		$attempt{"a function in a join that may be turned round, over $report"} = telling() . "SELECT count(*) FROM (SELECT 1) o JOIN $report r ON pg_temp.tell(r::text);";
	}
	# Functions that reports are made of, asked for the other hospital by name.
	my %call = (
		'handoffs of a patient' => q(SELECT * FROM workflow_track.patient_handoffs('SECRET patient')),
		'handoffs not in the rollups' => q(SELECT * FROM workflow_track.unfolded_handoffs(true); SELECT * FROM workflow_track.unfolded_handoffs(false)),
		'counts of rules' => q(SELECT * FROM workflow_track.coverage_counts('2024-02-01') ORDER BY 1, 2),
		'edges of cases' => q(SELECT * FROM workflow_track.follows_counts(NULL, NULL, NULL) ORDER BY 1, 2, 3),
		'variants of cases' => q(SELECT * FROM workflow_track.variant_counts(NULL, NULL, NULL) ORDER BY 1, 2),
		'performers of cases' => q(SELECT * FROM workflow_track.performer_counts(NULL, NULL, NULL) ORDER BY 1, 2, 3, 4),
		'conformance of cases' => q(SELECT * FROM workflow_track.conformance_cases('routes', 1, NULL, NULL); SELECT * FROM workflow_track.conformance_deviations('routes', 1, NULL, NULL)),
		'a draft of the other hospital' => q(SELECT workflow_track.discover_workflow('x', facility => 'SOUTH'); SELECT workflow_track.discover_workflow('x')),
		'the trace of an order' => q(SELECT * FROM workflow_track.message_trace('SECRET order'); SELECT count(*) FROM workflow_track.message_trace('SECRET subject')),
		'whether a result has an order' => q(SELECT workflow_track.is_unmatched_result('SECRET patient', 3), workflow_track.is_unmatched_result('SECRET patient', 4)),
		'documents of the map' => q(SELECT workflow_track.workflow_document('routes', 1)),
		'what may be seen' => q(SELECT workflow_track.sees_all_facilities(), workflow_track.visible_facilities()),
		'test patients shown' => q(SET workflow_track.test_patients = on; SELECT count(*) FROM workflow_track.care_loop; SELECT count(*) FROM workflow_track.event_history),
		'a plan made when more could be seen' => q(PREPARE p AS SELECT count(*) FROM workflow_track.event_history; EXECUTE p; SET plan_cache_mode = force_generic_plan; EXECUTE p),
		'another role' => q(SET ROLE all_of_it; SELECT count(*) FROM workflow_track.event_history),
		'another session user' => q(SET SESSION AUTHORIZATION all_of_it; SELECT count(*) FROM workflow_track.event_history),
		'the catalog of statistics' => q(SELECT * FROM pg_stats WHERE schemaname = 'workflow_track' AND tablename ~ '^(event|loop|dupl|misr|pati|hand|mess|stale)' ORDER BY 2, 3; SELECT * FROM pg_statistic; SELECT * FROM pg_stats_ext WHERE schemaname = 'workflow_track'; SELECT count(*) FROM pg_statistic_ext_data),
		'queries of others' => q(SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%SECRET%' AND usename <> current_user; SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%SECRET%' AND userid <> (SELECT oid FROM pg_roles WHERE rolname = current_user)),
		'numbers given last' => q(SELECT last_value FROM pg_sequences WHERE schemaname = 'workflow_track'; SELECT currval('workflow_track.event_event_id_seq'); SELECT last_value FROM workflow_track.event_event_id_seq),
		'files of the server' => q(SELECT pg_read_file('postgresql.conf'); COPY (SELECT 1) TO PROGRAM 'cat'; COPY workflow_track.care_loop TO '/tmp/x'; SELECT lo_import('/etc/passwd'); SELECT pg_ls_dir('.')),
		'health, which is for administrators' => q(SELECT * FROM workflow_track.health; SELECT * FROM workflow_track.check_consistency()),
		'bodies of messages' => q(SELECT body FROM workflow_track.message; SELECT * FROM workflow_track.inbox; SELECT raw FROM workflow_track.message),
		'more facilities for oneself' => q(INSERT INTO workflow_track.facility_access VALUES ('north', '*'); UPDATE workflow_track.facility_access SET facility = '*'; GRANT all_of_it TO north),
		'reports of one\'s own making' => q(CREATE VIEW pg_temp.v AS SELECT * FROM workflow_track.event; SELECT * FROM pg_temp.v; CREATE FUNCTION pg_temp.f() RETURNS SETOF workflow_track.event LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM workflow_track.event'; SELECT * FROM pg_temp.f()),
		'a report replaced' => q(CREATE OR REPLACE VIEW workflow_track.care_loop AS SELECT 1; ALTER VIEW workflow_track.care_loop RESET (security_barrier); CREATE OR REPLACE FUNCTION workflow_track.sees_all_facilities() RETURNS boolean LANGUAGE sql AS 'SELECT true'),
	);
	for my $table (split /\n/, $node->safe_psql('two', q(SELECT oid::regclass FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind IN ('r', 'p')
			AND relname !~ '^(event_kind|workflow.*|expectation|duplicate_rule|billing_rule|facility)$' AND relname !~ '_20[0-9]{2}_' ORDER BY relname)))
	{
		$call{"table $table"} = "SELECT * FROM $table; COPY $table TO STDOUT; SELECT count(*) FROM ONLY $table";
	}
	$attempt{$_} = "$call{$_};" for keys %call;

	for my $name (sort keys %attempt)
	{
		my ($two, $one) = map { answer($_, 'north', $attempt{$name}) } @databases;

		# A plan may be another where there is more to read.
		refused(($two eq $one || $name =~ /^EXPLAIN/) && $two !~ /SECRET/, "of SOUTH an analyst of NORTH learns nothing by $name", $two);
	}
	# Who may see it does: a probe that could not tell would prove nothing.
	for my $name (map { "rows of $_" } grep { !/deviation_summary|missed_follow_up/ } @reports)
	{
		isnt(answer('two', 'all_of_it', $attempt{$name}), answer('one', 'all_of_it', $attempt{$name}), "who sees everything is told by $name");
	}
	like(answer('two', 'all_of_it', $attempt{'a function that tells what it is shown, over workflow_track.care_loop'}), qr/SECRET/, 'a function is told what may be seen');

	# No facility, one whose role has gone and come again, names that are nearly another's.
	for my $names ([ "nothing", "NORTH\x{20}" ], [ 'nothing', 'north' ], [ 'nothing', 'SOUTH,NORTH' ], [ 'nothing', 'SOUT%' ], [ 'nothing', '**' ], [ 'NOTHING', '*' ], [ 'nothing ', '*' ], [ 'no"thing', '*' ])
	{
		$node->safe_psql('two', sprintf "DELETE FROM workflow_track.facility_access WHERE lower(role_name) LIKE 'no%%thing%%'; INSERT INTO workflow_track.facility_access VALUES ('%s', '%s')", @$names);
		my $told = answer('two', 'nothing', 'SELECT count(*) FROM workflow_track.event_history; SELECT count(*) FROM workflow_track.care_loop; SELECT workflow_track.sees_all_facilities()');
		refused($told eq "0\n0\nf\n", "\"$names->[1]\" of \"$names->[0]\" is nothing to an analyst without a facility", $told);
	}
}

# A function that tells what it is shown of the other hospital.
sub telling
{
	return q(CREATE FUNCTION pg_temp.tell(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
		BEGIN IF value LIKE '%SECRET%' OR value LIKE '%SOUTH%' THEN RAISE WARNING 'told: %', value; END IF; RETURN true; END $$; );
}

# --- a recorder wants to read, alter and delete ---------------------------------------------------------------------

sub change
{
	my @tables = split /\n/, $node->safe_psql('two', q(SELECT oid::regclass FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind IN ('r', 'p') AND relname !~ '_20[0-9]{2}_' ORDER BY relname));
	my %attempt;

	for my $table (@tables)
	{
		my ($column) = split /\n/, $node->safe_psql('two', "SELECT attname FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 ORDER BY attnum LIMIT 1");
		my $own = $table =~ /\.(event|subject_alias)$/;

		$attempt{"UPDATE $table"} = "UPDATE $table SET $column = DEFAULT";
		$attempt{"DELETE FROM $table"} = "DELETE FROM $table";
		$attempt{"TRUNCATE $table"} = "TRUNCATE $table CASCADE";
		$attempt{"SELECT FROM $table"} = "SELECT * FROM $table" unless $table =~ /event_kind|hl7v2_mapping/;
		$attempt{"COPY $table TO"} = "COPY $table TO STDOUT" unless $table =~ /event_kind|hl7v2_mapping/;
		$attempt{"INSERT INTO $table"} = "INSERT INTO $table DEFAULT VALUES" unless $own;
		$attempt{"a rule on $table"} = "CREATE RULE r AS ON INSERT TO $table DO INSTEAD NOTHING";
		$attempt{"a trigger on $table"} = "CREATE TRIGGER t BEFORE INSERT ON $table EXECUTE FUNCTION suppress_redundant_updates_trigger()";
		$attempt{"ALTER TABLE $table"} = "ALTER TABLE $table DISABLE TRIGGER ALL";
		$attempt{"DROP TABLE $table"} = "DROP TABLE $table CASCADE";
	}
	my ($month) = split /\n/, $node->safe_psql('two', q(SELECT partition_name FROM workflow_track.months() ORDER BY upper_bound DESC LIMIT 1));
	%attempt = (%attempt,
		'INSERT straight into a month' => "INSERT INTO workflow_track.$month (patient_id, kind, occurred_at) VALUES ('x', 'order.placed', now())",
		'INSERT into the partition before the first month' => q(INSERT INTO workflow_track.event_before (patient_id, kind, occurred_at) VALUES ('x', 'order.placed', '2001-01-01')),
		'event_id given' => q(INSERT INTO workflow_track.event (event_id, patient_id, kind, occurred_at) OVERRIDING SYSTEM VALUE VALUES (1, 'x', 'order.placed', '2024-01-10')),
		'recorded_at given' => q(INSERT INTO workflow_track.event (recorded_at, patient_id, kind, occurred_at) VALUES ('2001-01-01', 'x', 'order.placed', '2024-01-10')),
		'rows back by RETURNING' => q(INSERT INTO workflow_track.event (patient_id, kind, occurred_at) VALUES ('x', 'order.placed', '2024-01-10') RETURNING *),
		'ON CONFLICT DO UPDATE' => q(INSERT INTO workflow_track.event (patient_id, kind, occurred_at) VALUES ('x', 'order.placed', '2024-01-10') ON CONFLICT (event_id, occurred_at) DO UPDATE SET value = 'x'),
		'MERGE' => q(MERGE INTO workflow_track.event e USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE),
		'a retraction' => q(SELECT workflow_track.retract_event(1, 'x')),
		'triggers off' => q(SET session_replication_role = replica),
		'detection paused' => q(SELECT workflow_track.pause_detection()),
		'months dropped' => q(SELECT workflow_track.drop_before('2024-02-01', true)),
		'everything rebuilt' => q(CALL workflow_track.rebuild()),
		'setup()' => q(SELECT workflow_track.setup()),
		'a map' => q(SELECT workflow_track.define_workflow('{"workflow": "x", "version": 1}')),
		'a message read anew' => q(SELECT workflow_track.reprocess(1)),
		'what inbox holds' => q(SELECT * FROM workflow_track.inbox),
		'reports' => q(SELECT * FROM workflow_track.care_loop),
		'the trace of a message' => q(SELECT * FROM workflow_track.message_trace('north order')),
		'tables locked' => q(LOCK TABLE workflow_track.event IN ACCESS EXCLUSIVE MODE),
		'the extension' => q(DROP EXTENSION workflow_track CASCADE),
		'the schema' => q(CREATE TABLE workflow_track.x (i int)),
		'a trigger\'s function called' => q(SELECT workflow_track.event_recorded()),
		'detection called' => q(SELECT workflow_track.touch_patients(ARRAY['x'], ARRAY[now()], ARRAY[true])),
		'detection excluded for ever' => q(SELECT workflow_track.exclude_detection()),
		'a program' => q(COPY workflow_track.event (patient_id) FROM PROGRAM 'id'),
		'the settings' => q(ALTER SYSTEM SET workflow_track.test_patients = on),
	);
	my $before = $node->safe_psql('two', q(SELECT count(*), md5(string_agg(e::text, ',' ORDER BY event_id)) FROM workflow_track.event e));
	for my $name (sort keys %attempt)
	{
		my $told = answer('two', 'feed', "\\set VERBOSITY verbose\n$attempt{$name};");

		refused($told =~ /ERROR:  (42501|428C9|0A000|55000|0LP01|42809|WT|42601|22023|2F|25)/ && $told !~ /SECRET|north patient/, "a recorder is refused: $name", $told);
	}
	is($node->safe_psql('two', q(SELECT count(*), md5(string_agg(e::text, ',' ORDER BY event_id)) FROM workflow_track.event e)), $before, 'and no event was added, altered or lost');
	is(answer('two', 'feed', q(INSERT INTO workflow_track.event (patient_id, facility, kind, occurred_at) VALUES ('x', 'NORTH', 'order.placed', '2024-01-10') RETURNING event_id > 0; SELECT workflow_track.record_event('order.placed', 'x', 'EHR') > 0)), "t\nt\n", 'a recorder records');
}

# --- objects planted to be called -----------------------------------------------------------------------------------

sub plant
{
	# Functions, operators and tables of the names that the extension's own SQL uses, ahead of all others in the search path; they note who calls.
	my @functions = map { [ split /:/ ] } split /\s+/, q(now: btrim:text btrim:text,text format:text,anyelement lower:text upper:text length:text coalesce_it:text to_regclass:text md5:text hashtext:text
		date_trunc:text,timestamptz greatest_it:text current_setting:text set_config:text,text,boolean jsonb_array_elements:jsonb jsonb_each:jsonb jsonb_typeof:jsonb array_agg_it:text cardinality:text[] starts_with:text,text
		replace:text,text,text substring:text,text regexp_replace:text,text,text to_timestamp:text,text unnest_it:text[] pg_backend_pid: clock_timestamp: convert_from:bytea,text convert_to:text,text pg_get_userbyid:oid pg_has_role:text,text,text);
	my $script = q(
		CREATE SCHEMA mallory AUTHORIZATION mallory; SET ROLE mallory; SET search_path = mallory;
		CREATE TABLE caught (who text, what text); GRANT ALL ON caught TO PUBLIC; GRANT ALL ON SCHEMA mallory TO PUBLIC;
		CREATE FUNCTION note(what text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO mallory.caught VALUES (current_user, what); EXCEPTION WHEN OTHERS THEN RAISE WARNING 'caught % %', current_user, what; END $$;
	);
	for my $function (@functions)
	{
		my ($name, $arguments) = ($function->[0], $function->[1] // '');

		$script .= "CREATE FUNCTION mallory.$name($arguments) RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN PERFORM mallory.note('$name'); RETURN 'x'; END \$\$;\n";
	}
	for my $operator ('=', '<>', '<', '>', '<=', '>=', '||', '~')
	{
		my $result = $operator eq '||' ? 'text' : 'boolean';
		my $value = $operator eq '||' ? "'x'" : 'true';

		for my $type (qw(text bigint timestamptz))
		{
			my $f = "op_" . join('', map { ord } split //, $operator) . $type;
			$script .= "CREATE FUNCTION mallory.$f($type, $type) RETURNS $result LANGUAGE plpgsql AS \$\$ BEGIN PERFORM mallory.note('$operator $type'); RETURN $value; END \$\$;\n"
			  . "CREATE OPERATOR mallory.$operator (LEFTARG = $type, RIGHTARG = $type, FUNCTION = mallory.$f);\n";
		}
	}
	$script .= "CREATE TABLE mallory.$_ (patient_id text, event_id bigint, kind text, actor text);\n" for qw(event staff message event_kind loop_state patient_state retraction detection_state facility_access);
	$script .= "CREATE TYPE mallory.clinical_code AS (x text); CREATE DOMAIN mallory.timestamptz AS text; CREATE DOMAIN mallory.hl7v2 AS text;\n";
	$node->safe_psql('two', $script);

	my %calls = (
		feed => q(
			INSERT INTO workflow_track.event (patient_id, facility, kind, occurred_at, subject) VALUES ('planted', 'NORTH', 'result.final', '2024-01-10', 'p');
			SELECT workflow_track.record_event('order.placed', 'planted', 'EHR', '2024-01-10'::pg_catalog.timestamptz, subject => 'p');
			INSERT INTO workflow_track.event (patient_id, facility, kind, occurred_at, subject) VALUES ('planted', 'NORTH', 'patient.merged', '2024-01-10', 'planted2');
			INSERT INTO workflow_track.subject_alias VALUES ('planted', 'p', 'q');
			SELECT workflow_track.ingest_hl7v2(pg_catalog.format(E'MSH|^~\\\\&|EHR|NORTH|||20240110||ADT^A01|planted|P|2.5\rEVN||20240110\rPID|1||planted\rPV1|1|I|||||||||||||||||pv')::text);
			INSERT INTO workflow_track.inbox (body) VALUES (E'MSH|^~\\&|EHR|NORTH|||20240110||ADT^A11|planted2|P|2.5\rEVN||20240110\rPID|1||planted\rPV1|1|I|||||||||||||||||pv');),
		north => q(SELECT count(*) FROM workflow_track.care_loop; SELECT count(*) FROM workflow_track.event_history; SELECT count(*) FROM workflow_track.message_exception;
			SELECT count(*) FROM workflow_track.conformance; SELECT count(*) FROM workflow_track.handoff_latency; SELECT count(*) FROM workflow_track.message_trace('planted'); SELECT workflow_track.discover_workflow('x');),
		boss => q(SELECT workflow_track.define_workflow('{"workflow": "planted", "version": 1, "state": "current", "expectations": [{"name": "x", "category": "order", "after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject", "within": "1 day"}]}');
			INSERT INTO workflow_track.staff (actor, role) VALUES ('planted', 'nurse'); UPDATE workflow_track.staff SET role = 'provider' WHERE actor OPERATOR(pg_catalog.=) 'planted';
			CALL workflow_track.catch_up(); CALL workflow_track.rebuild(); SELECT workflow_track.maintain(); SELECT count(*) FROM workflow_track.check_consistency(); SELECT count(*) FROM workflow_track.health;
			SELECT workflow_track.retract_event(1, 'planted'); SELECT workflow_track.drop_before('2001-01-01'::pg_catalog.timestamptz, true); SELECT workflow_track.ensure_partitions('2024-01-01'::pg_catalog.timestamptz, '2024-02-01'::pg_catalog.timestamptz);
			SELECT workflow_track.reprocess(1); SELECT workflow_track.pause_detection(), workflow_track.resume_detection();),
	);
	for my $path ('mallory, pg_catalog, public', 'mallory, workflow_track, pg_catalog', 'pg_temp, mallory')
	{
		for my $user (sort keys %calls)
		{
			my $temp = $path =~ /pg_temp/ ? 'CREATE TEMP TABLE event (LIKE workflow_track.event); CREATE TEMP TABLE staff (x int); CREATE TEMP TABLE message (x int); CREATE TEMP TABLE event_kind (x int);' : '';
			my $told = answer('two', $user, "$temp SET search_path = $path; $calls{$user}");
			my $caught = $node->safe_psql('two', q(SELECT string_agg(DISTINCT who || ' ' || what, ', ') FROM mallory.caught WHERE who NOT IN ('feed', 'north', 'boss', 'mallory'))) . ($told =~ /(caught (?!feed|north|boss|mallory).*)/ ? $1 : '');

			refused($caught eq '', "nothing planted is called with other rights than the caller's: $user, search_path $path", $caught);
			unlike($told, qr/ERROR/, "and all that $user calls works") if $path =~ /public/;
		}
	}
	isnt($node->safe_psql('two', q(SET search_path = mallory, pg_catalog; SELECT 'a'::text = 'b'::text; SELECT count(*) FROM mallory.caught)), "t\n0", 'what is planted is called where one asks for it');
	is(answer('two', 'mallory', q(CREATE TABLE public.event (x int))) =~ /permission denied/ ? 1 : 0, 1, 'nothing can be planted in public');
}

# --- names that are SQL ---------------------------------------------------------------------------------------------

sub inject
{
	my @names = ("x'; DROP TABLE workflow_track.staff; --", '"x"', '$$; DROP TABLE workflow_track.staff; $$', '%s %I %L %1$s', "a\nb", "\\'; SELECT 1; --", 'x' x 300, "' OR true OR '", '$1', ":x", "\x{e9}\x{2603}");

	for my $name (@names)
	{
		my $quoted = "convert_from('\\x" . unpack('H*', Encode::encode('UTF-8', $name)) . "', 'UTF8')";
		my $told = answer('two', 'boss', qq(
			SELECT workflow_track.define_workflow(jsonb_build_object('workflow', replace($quoted, E'\\n', ' '), 'version', 1, 'state', 'current',
				'steps', jsonb_build_array(jsonb_build_object('step', replace($quoted, E'\\n', ' '), 'kind', 'result.final', 'delivered_to', jsonb_build_array(replace($quoted, E'\\n', ' ')))),
				'expectations', jsonb_build_array(jsonb_build_object('name', replace($quoted, E'\\n', ' '), 'category', 'order', 'after', jsonb_build_array('result.final'), 'expect', jsonb_build_array('result.viewed'), 'by', jsonb_build_array(replace($quoted, E'\\n', ' ')), 'correlated_by', 'subject', 'within', '1 day'))));
			SELECT workflow_track.workflow_document(replace($quoted, E'\\n', ' '), 1) IS NOT NULL;
			SELECT workflow_track.set_workflow_state(replace($quoted, E'\\n', ' '), 1, 'retired');
			INSERT INTO workflow_track.event_kind (kind, category, description) VALUES ($quoted, 'x', $quoted);
			INSERT INTO workflow_track.staff (actor, role, facility, system) VALUES ($quoted, $quoted, $quoted, $quoted);
			INSERT INTO workflow_track.facility VALUES ($quoted, $quoted, 'UTC');
			INSERT INTO workflow_track.facility_access VALUES ($quoted, $quoted);
			INSERT INTO workflow_track.test_patient VALUES ($quoted);
			INSERT INTO workflow_track.hl7v2_source (source_system, facility, timezone, charset, id_namespace) VALUES ($quoted, $quoted, 'UTC', NULL, NULL);
			SELECT workflow_track.record_event('order.placed', $quoted, $quoted, facility => $quoted, subject => $quoted, actor => $quoted, recipient => $quoted, encounter_id => $quoted, value => $quoted);
			SELECT count(*) FROM workflow_track.message_trace($quoted);
			SELECT count(*) FROM workflow_track.patient_handoffs($quoted);
			SELECT count(*) FROM workflow_track.directly_follows(NULL, facility => $quoted, kinds => ARRAY[$quoted]);
			SELECT jsonb_array_length(workflow_track.discover_workflow($quoted, facility => 'NORTH') -> 'steps') > 0;
			CALL workflow_track.catch_up();
			SELECT '{}'::workflow_track.hl7v2 -> $quoted;
		));
		my $there = $node->safe_psql('two', q(SELECT count(*) FROM workflow_track.staff));

		refused($there > 0 && $told !~ /42601|syntax error at|internal|XX000/, 'a name is a name: ' . substr($name =~ s{[^ -~]}{?}gr, 0, 40), $told);
	}
	for my $zone ('/etc/passwd', '../../../etc/passwd', "UTC'; SELECT 1; --", 'x' x 500)
	{
		my $told = answer('two', 'boss', sprintf "INSERT INTO workflow_track.hl7v2_source (source_system, facility, timezone) VALUES ('z', 'z', '%s')", $zone =~ s/'/''/gr);

		refused($told =~ /ERROR/ && $told !~ /root:/, 'a time zone that is none is refused: ' . substr($zone, 0, 30), $told);
	}
}

# --- what of patients gets into messages and logs -------------------------------------------------------------------

sub spill
{
	my $mark = 'ZZPATIENTZZ';
	my %failing = (
		'no such kind' => qq(SELECT workflow_track.record_event('no.such', '$mark', 'EHR', subject => '$mark')),
		'no patient' => qq(SELECT workflow_track.record_event('order.placed', '', 'EHR', subject => '$mark', value => '$mark')),
		'outer blanks' => qq(INSERT INTO workflow_track.event (patient_id, kind, occurred_at, value) VALUES (' $mark', 'order.placed', now(), '$mark')),
		'a time that cannot be' => qq(SELECT workflow_track.record_event('order.placed', '$mark', 'EHR', '1800-01-01')),
		'a month that is not there' => qq(INSERT INTO workflow_track.event (patient_id, kind, occurred_at) VALUES ('$mark', 'order.placed', '2090-01-01')),
		'nulls' => qq(INSERT INTO workflow_track.event (patient_id, kind, occurred_at, facility) VALUES ('$mark', 'order.placed', now(), NULL); INSERT INTO workflow_track.event (patient_id, kind, occurred_at, source_sequence) VALUES ('$mark', 'order.placed', now(), NULL)),
		'a duplicate refused' => qq(SELECT workflow_track.record_event('data.entered', '$mark', 'A', value => '$mark'); SELECT workflow_track.record_event('data.entered', '$mark', 'B', value => '$mark')),
		'a message that is none' => qq(SELECT workflow_track.ingest_hl7v2('$mark'); INSERT INTO workflow_track.inbox (body) VALUES ('$mark')),
		'a message with a bad time' => qq(SELECT workflow_track.ingest_hl7v2(E'MSH|^~\\\\&|E|N|||2024||ADT^A01|$mark|P|2.5\\rEVN||notime$mark\\rPID|1||$mark\\rPV1|1|I|||||||||||||||||$mark')),
		'bytes that are no text' => qq(SELECT workflow_track.ingest_hl7v2('\\x4d5348ff'::bytea || convert_to('$mark', 'UTF8'))),
		'a cast to a message' => qq(SELECT '$mark'::workflow_track.hl7v2; SELECT 'MSH|$mark'::workflow_track.hl7v2),
		'a code that is none' => qq(SELECT workflow_track.record_event('order.placed', 'p', 'EHR', value => '$mark', code => NULL, detail => '{"x": "$mark"}', severity => NULL, occurred_at => 'infinity')),
		'a transaction that cannot commit' => qq(BEGIN; SELECT workflow_track.record_event('order.placed', '$mark', 'EHR'); SET LOCAL lock_timeout = '1ms'; SET LOCAL statement_timeout = '1ms'; COMMIT),
	);
	$node->safe_psql('two', q(SELECT workflow_track.define_workflow('{"workflow": "refusing", "version": 1, "state": "current", "duplicates": [{"kind": "data.entered", "same": ["value"], "within": "1 day", "action": "reject"}]}')));
	my $from = -s $node->logfile;
	for my $name (sort keys %failing)
	{
		# Of an input that a type refuses the server itself shows the text: that is what the client sent, to the client.
		my $told = answer('two', 'feed', "$failing{$name};") =~ s/(invalid input syntax for type hl7v2: )?"[^"\n]*$mark[^"\n]*"//gr;

		refused($name =~ /message|bytes/ || $told !~ /$mark/, "no patient in the message about $name", $told);
	}
	my $log = substr(slurp_file($node->logfile), $from);
	my @lines = grep { /$mark/ } split /\n/, $log;

	cmp_ok(length $log, '>', 500, 'something was logged');
	refused(@lines == 0, 'no patient in the log', join "\n", @lines);
}
