# A database of version 0.1.0 becomes one of this version, object by object, with all that it holds.

use strict;
use warnings;

use File::Basename;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

my $node = new_server('main');
my $version = $node->safe_psql('postgres', q(SELECT default_version FROM pg_available_extensions WHERE name = 'workflow_track'));

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION workflow_track; SELECT workflow_track.setup();');
my $fresh = objects('fresh');

for my $release (sort map { /^(.*)$/ } split /\n/, $node->safe_psql('postgres',
	q(SELECT version FROM pg_available_extension_versions WHERE name = 'workflow_track' ORDER BY 1)))
{
	next if $release eq $version;
	my $db = "v$release" =~ s/\./_/gr;

	# As the library of this version serves it, before anybody says UPDATE.
	hospital_of($release, $db);
	my ($reports, $kept) = (reports($node, $db), kept($node, $db));
	isnt($kept, '', "$release holds findings");

	# Between the two commands, what is recorded is recorded, and found.
	$node->safe_psql($db, 'ALTER EXTENSION workflow_track UPDATE');
	is($node->safe_psql($db, q(SELECT extversion FROM pg_extension WHERE extname = 'workflow_track')), $version, "$release is updated to $version");
	$node->safe_psql($db, q(SELECT workflow_track.record_event('result.final', 'between', 'LIS', now() - interval '9 hours', subject => 'between', severity => 'critical')));
	is($node->safe_psql($db, q(SELECT count(*) FROM workflow_track.care_loop WHERE patient_id = 'between' AND status = 'overdue')), 1, 'what is recorded before setup() is found');
	is($node->safe_psql($db, q(SELECT verdict FROM workflow_track.health WHERE "check" = 'version of tables')), 'critical', 'health asks for setup()');
	$node->safe_psql($db, q(SELECT workflow_track.retract_event(event_id, 'test') FROM workflow_track.event WHERE patient_id = 'between'));

	$node->safe_psql($db, 'SELECT workflow_track.setup()');
	same(objects($db), $fresh, "objects of $release are those of a fresh installation");
	like(reports($node, $db), qr/\Q$_\E/, 'a report is there still') for (split /\n/, $reports)[ 0, 10, -1 ];
	same(join("\n", grep { !/between/ } split /\n/, kept($node, $db)), $kept, 'what was found is kept');
	is($node->safe_psql($db, 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'and is what the definitions say');
	$node->safe_psql($db, 'CALL workflow_track.rebuild()');
	same(join("\n", grep { !/between/ } split /\n/, kept($node, $db)), $kept, 'rebuild() changes nothing');
	my $tables = tables($node, $db);
	$node->safe_psql($db, 'SELECT workflow_track.setup()');
	same(objects($db), $fresh, 'setup() again changes no object');
	same(tables($node, $db), $tables, 'setup() again changes no row');
	is($node->safe_psql($db, q(SELECT workflow_track.ingest_hl7v2(E'MSH|^~\\\\&|PMS|north|||20240301080000||ADT^A04|1|P|2.5\rPID|1||new\rPV1|1|O|||||||||||||||||nv1') LIKE '%MSA|AA%')),
		't', 'messages are taken');

	# A dump of the old database, restored where this version is installed.
	hospital_of($release, "${db}_dumped");
	my $dump = PostgreSQL::Test::Utils::tempdir . "/$release.dump";
	$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr("${db}_dumped") ], 'pg_dump');
	$node->safe_psql('postgres', "CREATE DATABASE ${db}_restored");
	$node->command_ok([ 'pg_restore', '-1', '-d', $node->connstr("${db}_restored"), $dump ], 'pg_restore');
	$node->safe_psql("${db}_restored", 'SELECT workflow_track.setup()');
	same(objects("${db}_restored"), $fresh, "objects of a restored $release are those of a fresh installation");
	same(kept($node, "${db}_restored"), $kept, 'what was found is kept');
}

done_testing();

# Makes a database of a release with the events of hospital.sql, as far as that release goes.
sub hospital_of
{
	my ($release, $db) = @_;
	my $script = slurp_file("$FindBin::RealBin/lib/hospital.sql");

	$script =~ s/CREATE EXTENSION workflow_track;/CREATE EXTENSION workflow_track VERSION '$release';/;
	$script =~ s/^-- Messages:.*?(?=^-- )//ms if $release eq '0.1.0';
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, "SET client_min_messages = warning;\n$script\nCALL workflow_track.catch_up(); SELECT workflow_track.maintain();");
}

# All that the schema holds, and what belongs to the extension: a line each, without numbers of this database.
sub objects
{
	my ($db) = @_;

	return $node->safe_psql($db, q(
		SET search_path = pg_catalog;
		CREATE FUNCTION pg_temp.granted(acl aclitem[], owner oid) RETURNS text LANGUAGE sql AS $$
			SELECT coalesce(string_agg(format('%s:%s', CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END, x.privilege_type), ' '
				ORDER BY x.grantee::regrole::text, x.privilege_type), '') FROM aclexplode(acl) AS x WHERE x.grantee <> owner
		$$;
		SELECT o.line FROM (
		SELECT format('function %s %s %s %s', p.oid::regprocedure, pg_temp.granted(coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner),
				obj_description(p.oid, 'pg_proc'), CASE WHEN p.prokind = 'a' THEN '' ELSE pg_get_functiondef(p.oid) END) AS line
			FROM pg_proc p WHERE p.pronamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('type %s %s %s %s %s', t.typname, t.typtype, t.typlen, pg_temp.granted(coalesce(t.typacl, acldefault('T', t.typowner)), t.typowner), obj_description(t.oid, 'pg_type'))
			FROM pg_type t WHERE t.typnamespace = 'workflow_track'::regnamespace AND t.typtype IN ('b', 'e', 'd', 'r') AND t.typcategory <> 'A'
		UNION ALL SELECT format('label %s %s', e.enumtypid::regtype, e.enumlabel) FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('operator %s %s %s %s', o.oid::regoperator, o.oprcode, o.oprrest, obj_description(o.oid, 'pg_operator')) FROM pg_operator o WHERE o.oprnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('class %s %s %s', c.opcname, c.opcintype::regtype, c.opcdefault) FROM pg_opclass c WHERE c.opcnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('cast %s %s %s', c.castsource::regtype, c.casttarget::regtype, c.castcontext) FROM pg_cast c JOIN pg_type t ON t.oid IN (c.castsource, c.casttarget) WHERE t.typnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('relation %s %s %s %s %s', c.relkind, c.relname, c.reloptions, pg_temp.granted(coalesce(c.relacl, acldefault('r', c.relowner)), c.relowner), obj_description(c.oid, 'pg_class'))
			FROM pg_class c WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S', 'm') AND c.relname !~ '_[0-9]{4}_[0-9]{2}$'
		UNION ALL SELECT format('column %s.%s %s %s %s %s %s %s %s %s', c.relname, a.attname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation,
				a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid), pg_temp.granted(a.attacl, c.relowner), col_description(c.oid, a.attnum))
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
			WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND c.relname !~ '_[0-9]{4}_[0-9]{2}$'
		UNION ALL SELECT format('view %s %s', v.viewname, v.definition) FROM pg_views v WHERE v.schemaname = 'workflow_track'
		UNION ALL SELECT format('constraint %s %s %s', c.relname, x.conname, pg_get_constraintdef(x.oid)) FROM pg_constraint x JOIN pg_class c ON c.oid = x.conrelid
			WHERE c.relnamespace = 'workflow_track'::regnamespace AND c.relname !~ '_[0-9]{4}_[0-9]{2}$'
		UNION ALL SELECT format('index %s %s', i.indexname, i.indexdef) FROM pg_indexes i WHERE i.schemaname = 'workflow_track' AND i.tablename !~ '_[0-9]{4}_[0-9]{2}$'
		UNION ALL SELECT format('statistics %s %s', s.stxname, pg_get_statisticsobjdef(s.oid)) FROM pg_statistic_ext s WHERE s.stxnamespace = 'workflow_track'::regnamespace
		UNION ALL SELECT format('trigger %s %s %s %s', c.relname, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid)) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
			WHERE c.relnamespace = 'workflow_track'::regnamespace AND NOT t.tgisinternal AND c.relname !~ '_[0-9]{4}_[0-9]{2}$'
		UNION ALL SELECT format('member %s', pg_describe_object(d.classid, d.objid, 0)) FROM pg_depend d JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid
			WHERE x.extname = 'workflow_track' AND d.deptype = 'e'
		UNION ALL SELECT format('kind %s', k) FROM workflow_track.event_kind k WHERE kind <> 'round.completed'
		UNION ALL SELECT format('rule %s', to_jsonb(m) - 'changed_at') FROM workflow_track.hl7v2_mapping m WHERE shipped
		) AS o ORDER BY o.line COLLATE "C"));
}
