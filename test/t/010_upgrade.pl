# A database of version 0.1.0 becomes one of this version, object by object, with all that it holds.

use strict;
use warnings;

use File::Basename;
use FindBin;
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use lib "$FindBin::RealBin/lib";
use Test::More;
use WorkflowTrack;

my $node = new_server('main');
my $version = $node->safe_psql('postgres', q(SELECT default_version FROM pg_available_extensions WHERE name = 'workflow_track'));

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION workflow_track; SELECT workflow_track.setup();');
my $fresh = objects('fresh');

for my $release (sort split /\n/, $node->safe_psql('postgres',
	qq(SELECT version FROM pg_available_extension_versions WHERE name = 'workflow_track' AND version <> '$version')))
{
	my $db = "v$release" =~ s/\./_/gr;

	# What that release made itself, served by the library of this version before anybody says UPDATE.
	hospital_of($release, $db, "VERSION '$release'");
	my ($reports, $kept) = (reports($node, $db), found($db));
	holds($kept, qw(loop_state duplicate_state misrouted_state patient_merge encounter_merge handoff_latency handoff_latency_hourly));
	recorded($db, 'files', 'with the files of this version alone');

	# Between the two commands, what is recorded is found, and what needs the tables of this version says so.
	$node->safe_psql($db, 'ALTER EXTENSION workflow_track UPDATE');
	is($node->safe_psql($db, q(SELECT extversion FROM pg_extension WHERE extname = 'workflow_track')), $version, "$release is updated to $version");
	same(reports($node, $db), $reports, 'reports are as before');
	recorded($db, 'between', 'before setup()');
	is($node->safe_psql($db, q(SELECT verdict FROM workflow_track.health WHERE "check" = 'version of tables')), 'critical', 'health asks for setup()');
	for my $call ('SELECT workflow_track.maintain()', 'CALL workflow_track.catch_up()', 'CALL workflow_track.rebuild()',
		q(SELECT workflow_track.drop_before(now() - interval '1 month', true)), 'SELECT workflow_track.check_consistency()',
		q(SELECT workflow_track.ingest_hl7v2('MSH|^~\&|PMS|north')), 'SELECT workflow_track.reprocess(1)', q(SELECT workflow_track.message_trace('x')))
	{
		$node->command_fails_like([ 'psql', '-XAt', '-c', $call, $node->connstr($db) ], qr/^HINT:  Run SELECT workflow_track\.setup\(\)\.$/m,
			"refused before setup(): $call");
	}

	$node->safe_psql($db, 'SELECT workflow_track.setup()');
	same(objects($db), $fresh, "objects of $release are those of a fresh installation");
	same(as_in($reports, reports($node, $db)), $reports, 'reports are as before');
	same(as_in($kept, found($db)), $kept, 'what was found is kept');
	is($node->safe_psql($db, q(SELECT verdict FROM workflow_track.health WHERE "check" = 'changes of map or staff to be caught up with')), 'warning', 'health asks for what is new to be found');
	$node->safe_psql($db, 'CALL workflow_track.catch_up()');
	same(as_in($kept, found($db)), $kept, 'and what was found before still is');
	$kept = found($db);
	holds($kept, qw(billing_state charge_state));
	is($node->safe_psql($db, 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'and is what the definitions say');
	$node->safe_psql($db, 'CALL workflow_track.rebuild()');
	same(found($db), $kept, 'rebuild() changes nothing');
	my $tables = tables($node, $db);
	$node->safe_psql($db, 'SELECT workflow_track.setup()');
	same(objects($db), $fresh, 'setup() again changes no object');
	same(tables($node, $db), $tables, 'setup() again changes no row');
	is($node->safe_psql($db, q(SELECT workflow_track.ingest_hl7v2(E'MSH|^~\\\\&|PMS|north|||20240301080000||ADT^A04|1|P|2.5\rPID|1||new\rPV1|1|O|||||||||||||||||nv1') LIKE '%MSA|AA%')),
		't', 'messages are taken');

	# Its dump, restored where this version is installed.
	hospital_of($release, "${db}_restored", '');
	same(found("${db}_restored"), as_in(found("${db}_restored"), $kept), "what $release found is restored");
	$node->safe_psql("${db}_restored", 'ALTER EXTENSION workflow_track UPDATE; SELECT workflow_track.setup()');
	$node->safe_psql("${db}_restored", 'CALL workflow_track.catch_up()');
	same(objects("${db}_restored"), $fresh, "objects of a restored $release are those of a fresh installation");
	same(found("${db}_restored"), $kept, 'what was found is kept');
	is($node->safe_psql("${db}_restored", 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'and is what the definitions say');
}

done_testing();

# Restores what pg_dump made of a hospital of a release, by that release itself, with the extension as told.
sub hospital_of
{
	my ($release, $db, $version) = @_;
	my $dump = dirname(__FILE__) . "/../../releases/hospital--$release.sql.gz";

	gunzip($dump => \my $script) or die "$dump: $GunzipError";
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, $script =~ s/^CREATE EXTENSION [^;]*\K/ $version/mr);
}

# Of a text, the rows of what another text has rows of.
sub as_in
{
	my ($other, $text) = @_;
	my %told = map { /^(\S+?)[( ]/ => 1 } split /\n/, $other;

	return join "\n", grep { /^(\S+?)[( ]/ && $told{$1} } split /\n/, $text;
}

# What detection keeps, but of the patients of recorded().
sub found { return join "\n", grep { !/\((files|between)2?,/ } split /\n/, kept($node, $_[0]) }

# Passes if what is recorded now is found; it is retracted then, so that it changes no report.
sub recorded
{
	my ($db, $patient, $when) = @_;

	$node->safe_psql($db, qq(
		SELECT workflow_track.record_event('result.final', '$patient', 'LIS', now() - interval '9 hours', subject => 's', severity => 'critical');
		INSERT INTO workflow_track.event (kind, occurred_at, patient_id, source_system, value, entry_method)
			SELECT 'data.entered', now() - interval '1 hour', '$patient', system, '81', 'manual' FROM unnest('{EHR,PMS}'::text[]) system;
		SELECT workflow_track.record_event('patient.merged', '$patient', 'PMS', now() - interval '1 hour', subject => '${patient}2'),
			workflow_track.record_event('encounter.merged', '$patient', 'PMS', now() - interval '1 hour', encounter_id => 'v', subject => 'w'),
			workflow_track.record_event('data.entered', '${patient}2', 'LIS', now() - interval '30 minutes', value => '81', entry_method => 'manual')));
	is($node->safe_psql($db, qq(
		SELECT (SELECT count(*) FROM workflow_track.care_loop WHERE patient_id = '$patient' AND status = 'overdue'),
			(SELECT count(*) FROM workflow_track.duplicate_entry WHERE patient_id LIKE '$patient%'))), '1|2', "what is recorded $when is found");
	$node->safe_psql($db, qq(SELECT workflow_track.retract_event(event_id, 'test') FROM workflow_track.event WHERE patient_id LIKE '$patient%'));
	is($node->safe_psql($db, qq(
		SELECT (SELECT count(*) FROM workflow_track.care_loop WHERE patient_id = '$patient'),
			(SELECT count(*) FROM workflow_track.duplicate_entry WHERE patient_id LIKE '$patient%'))), '0|0', 'and no longer once it is retracted');
}

# All that the schema holds, and what belongs to the extension: a line each, without numbers of this database; months are one.
sub objects
{
	my ($db) = @_;

	return $node->safe_psql($db, q(
		SET search_path = pg_catalog;
		CREATE FUNCTION pg_temp.granted(acl aclitem[], owner oid) RETURNS text LANGUAGE sql AS $$
			SELECT concat(owner::regrole, ' ', string_agg(format('%s:%s:%s', CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
				x.privilege_type, x.is_grantable), ' ' ORDER BY x.grantee::regrole::text, x.privilege_type))
			FROM aclexplode(acl) AS x
		$$;
		-- All columns of a row of a catalog but those that are numbers of this database.
		CREATE FUNCTION pg_temp.columns(catalog_row jsonb, VARIADIC numbers text[]) RETURNS jsonb LANGUAGE sql AS $$
			SELECT catalog_row - 'oid' - numbers
		$$;
		CREATE TEMP VIEW relation AS
			SELECT c.*, regexp_replace(c.relname, '_\d{4,}_\d\d', '_month') AS name FROM pg_class c WHERE c.relnamespace = 'workflow_track'::regnamespace;
		SELECT DISTINCT regexp_replace(o.line, '\d{4,}[-_]\d\d(-\d\d \d\d:\d\d:\d\d\+00)?', 'month', 'g') COLLATE "C" AS line FROM (
		SELECT format('schema %s', pg_temp.granted(n.nspacl, n.nspowner)) AS line FROM pg_namespace n WHERE n.oid = 'workflow_track'::regnamespace
		UNION ALL SELECT format('function %s %s %s %s', p.oid::regprocedure, pg_temp.granted(coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner),
				p.prosupport, CASE WHEN p.prokind = 'a' THEN '' ELSE pg_get_functiondef(p.oid) END)
			FROM pg_proc p WHERE p.pronamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('aggregate %s %s %s %s %s', a.aggfnoid::regprocedure, a.aggtranstype::regtype, a.aggmtranstype::regtype,
				pg_temp.columns(to_jsonb(a), 'aggtranstype', 'aggmtranstype', 'aggsortop'), ARRAY[p.provolatile, p.proparallel, p.proleakproof::text::"char", p.proisstrict::text::"char"])
			FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid WHERE p.pronamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('type %s %s %s %s %s', t.oid::regtype, t.typelem::regtype, t.typbasetype::regtype, pg_temp.granted(coalesce(t.typacl, acldefault('T', t.typowner)), t.typowner),
				pg_temp.columns(to_jsonb(t), 'typnamespace', 'typowner', 'typacl', 'typrelid', 'typelem', 'typarray', 'typbasetype'))
			FROM pg_type t WHERE t.typnamespace = 'workflow_track'::regnamespace AND t.typrelid = 0
				AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typrelid <> 0)
		UNION ALL SELECT format('label %s %s %s', e.enumtypid::regtype, rank() OVER (PARTITION BY e.enumtypid ORDER BY e.enumsortorder), e.enumlabel)
			FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('operator %s %s %s %s %s %s', o.oid::regoperator, o.oprowner::regrole, o.oprresult::regtype, o.oprcom::regoperator, o.oprnegate::regoperator,
				pg_temp.columns(to_jsonb(o), 'oprnamespace', 'oprowner', 'oprleft', 'oprright', 'oprresult', 'oprcom', 'oprnegate'))
			FROM pg_operator o WHERE o.oprnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('class %s %s %s %s %s', pg_describe_object('pg_opclass'::regclass, c.oid, 0), c.opcowner::regrole, c.opcintype::regtype, c.opcdefault, c.opckeytype::regtype)
			FROM pg_opclass c WHERE c.opcnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('family %s %s', pg_describe_object('pg_opfamily'::regclass, f.oid, 0), f.opfowner::regrole)
			FROM pg_opfamily f WHERE f.opfnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('of a family %s', pg_describe_object('pg_amop'::regclass, m.oid, 0))
			FROM pg_amop m JOIN pg_opfamily f ON f.oid = m.amopfamily WHERE f.opfnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('of a family %s', pg_describe_object('pg_amproc'::regclass, m.oid, 0))
			FROM pg_amproc m JOIN pg_opfamily f ON f.oid = m.amprocfamily WHERE f.opfnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('cast %s %s %s %s %s', c.castsource::regtype, c.casttarget::regtype, c.castfunc::regprocedure, c.castcontext, c.castmethod)
			FROM pg_cast c JOIN pg_type t ON t.oid IN (c.castsource, c.casttarget) WHERE t.typnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('relation %s %s %s %s %s %s %s %s %s %s %s %s', c.relkind, c.name, c.reloptions,
				(SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid), (SELECT m.amname FROM pg_am m WHERE m.oid = c.relam), c.reltablespace, c.relpersistence, c.relreplident, c.relrowsecurity, c.relforcerowsecurity,
				pg_get_partkeydef(c.oid), pg_temp.granted(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)), c.relowner))
			FROM relation c WHERE c.relkind NOT IN ('i', 'I')
		UNION ALL SELECT format('child %s of %s %s', c.name, i.inhparent::regclass, pg_get_expr(c.relpartbound, c.oid)) FROM pg_inherits i JOIN relation c ON c.oid = i.inhrelid
		UNION ALL SELECT format('column %s.%s %s %s %s %s %s %s', c.name, a.attname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
				a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid), pg_temp.granted(a.attacl, c.relowner),
				pg_temp.columns(to_jsonb(a), 'attrelid', 'attnum', 'atttypid', 'attcacheoff', 'attcollation', 'attacl', 'attoptions', 'atthasmissing', 'attmissingval'))
			FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
			WHERE c.relkind IN ('r', 'p', 'v', 'm', 'c')
		-- Some builds of the server number columns there.
		UNION ALL SELECT format('option %s.%s %s', c.name, a.attname, o) FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid, unnest(a.attoptions) o WHERE o !~ '^pg_attver='
		UNION ALL SELECT format('view %s %s', c.name, pg_get_viewdef(c.oid)) FROM relation c WHERE c.relkind IN ('v', 'm')
		UNION ALL SELECT format('rule %s %s', c.name, pg_get_ruledef(w.oid)) FROM pg_rewrite w JOIN relation c ON c.oid = w.ev_class WHERE w.rulename <> '_RETURN'
		UNION ALL SELECT format('sequence %s %s %s', c.name, pg_temp.columns(to_jsonb(s), 'seqrelid'),
				(SELECT pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjsubid > 0))
			FROM pg_sequence s JOIN relation c ON c.oid = s.seqrelid
		UNION ALL SELECT format('constraint %s %s %s', c.name, x.conname, pg_get_constraintdef(x.oid)) FROM pg_constraint x JOIN relation c ON c.oid = x.conrelid
			WHERE x.contype <> 'n'	-- so is the column; PostgreSQL 18 names it after the table of which it was first
		UNION ALL SELECT format('constraint %s %s', x.contypid::regtype, pg_get_constraintdef(x.oid)) FROM pg_constraint x WHERE x.connamespace = 'workflow_track'::regnamespace AND x.contypid <> 0
		UNION ALL SELECT format('index %s %s %s %s %s', c.name, i.indisvalid, i.indisreplident, i.indisclustered, pg_get_indexdef(i.indexrelid)) FROM pg_index i JOIN relation c ON c.oid = i.indrelid
		UNION ALL SELECT format('statistics %s %s %s', pg_get_statisticsobjdef(s.oid), s.stxowner::regrole, s.stxstattarget) FROM pg_statistic_ext s WHERE s.stxnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('trigger %s %s %s', c.name, t.tgenabled, pg_get_triggerdef(t.oid)) FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
		UNION ALL SELECT format('policy %s %s', c.name, pg_temp.columns(to_jsonb(y), 'polrelid')) FROM pg_policy y JOIN relation c ON c.oid = y.polrelid
		UNION ALL SELECT format('comment %s %s', o.object, o.description)
			FROM (SELECT pg_describe_object(d.classoid, d.objoid, d.objsubid) AS object, d.description FROM pg_description d WHERE d.objoid >= 16384) AS o
			WHERE o.object ~ 'workflow_track' AND o.object !~ '^extension '
		UNION ALL SELECT format('member %s', pg_describe_object(d.classid, d.objid, 0)) FROM pg_depend d JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid
			WHERE x.extname = 'workflow_track' AND d.deptype = 'e'
		-- Of whatever class.
		UNION ALL SELECT format('object %s', pg_describe_object(d.classid, d.objid, 0)) FROM pg_depend d
			WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'workflow_track'::regnamespace
		UNION ALL SELECT format('extension %s %s %s %s %s', x.extversion, x.extnamespace::regnamespace, x.extowner::regrole, x.extconfig::regclass[], x.extcondition)
			FROM pg_extension x WHERE x.extname = 'workflow_track'
		UNION ALL SELECT format('event trigger %s', pg_temp.columns(to_jsonb(t), 'evtowner', 'evtfoid')) FROM pg_event_trigger t
		UNION ALL SELECT format('default privileges %s', pg_temp.columns(to_jsonb(a), 'defaclrole')) FROM pg_default_acl a
		UNION ALL SELECT format('access %s', to_jsonb(a)) FROM workflow_track.facility_access a WHERE role_name = 'workflow_track_admin'
		UNION ALL SELECT format('of the map: step %s', to_jsonb(s)) FROM workflow_track.workflow_step s WHERE workflow = 'default'
		UNION ALL SELECT format('of the map: transition %s', to_jsonb(t)) FROM workflow_track.workflow_transition t WHERE workflow = 'default'
		UNION ALL SELECT format('of the map: expectation %s', to_jsonb(e) - 'expectation_id') FROM workflow_track.expectation e WHERE workflow = 'default'
		UNION ALL SELECT format('of the map: duplicate rule %s', to_jsonb(d) - 'duplicate_rule_id') FROM workflow_track.duplicate_rule d WHERE workflow = 'default'
		UNION ALL SELECT format('map %s', workflow_track.workflow_document('default', 1) - 'state')
		UNION ALL SELECT format('kind %s', k) FROM workflow_track.event_kind k WHERE kind <> 'round.completed'
		UNION ALL SELECT format('rule %s', to_jsonb(m) - 'changed_at') FROM workflow_track.hl7v2_mapping m WHERE shipped
		) AS o ORDER BY 1));
}
