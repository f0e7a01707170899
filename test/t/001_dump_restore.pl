# Dumps that are restored hold the same, fire nothing, and go on from there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

# What happens next, wherever: a critical result that is acknowledged late and entered twice, by a new version of the map.
my $next = q(
	SELECT workflow_track.define_workflow(workflow_track.workflow_document('site', 3) || '{"version": 5}');
	CALL workflow_track.catch_up();
	BEGIN;
	SELECT workflow_track.record_event('result.final', 'p1', 'LIS', date_trunc('month', now(), 'UTC') - interval '40 days',
		subject => 'new', item => 'r', severity => 'critical', encounter_id => 'vnew', recipient => 'inbox');
	SELECT workflow_track.record_event('result.acknowledged', 'p2', 'EHR', date_trunc('month', now(), 'UTC') - interval '39 days',
		subject => 'new', actor => 'dr1', encounter_id => 'vnew');
	SELECT workflow_track.record_event('data.entered', 'p3', system, date_trunc('month', now(), 'UTC') - interval '38 days',
		value => '81', entry_method => 'manual') FROM unnest('{EHR,PMS}'::text[]) system;
	COMMIT;
);

my $node = new_server('main');
my $dir = PostgreSQL::Test::Utils::tempdir;

hospital($node, 'origin');
my %origin = (tables => tables($node, 'origin'), reports => reports($node, 'origin'), schema => schema('origin'));
holds($origin{tables}, qw(event retraction patient_merge encounter_merge subject_alias test_patient staff facility_access
	patient_state loop_state duplicate_state misrouted_state identity_stale billing_state charge_state handoff_state handoff_delta handoff_hourly handoff_total follows_mark follows_state follows_total diary_mark diary_page stale_mark
	message message_key message_answer cancellation hl7v2_mapping hl7v2_source));

dump_to('plain', '-Fp');
dump_to('custom', '-Fc');
dump_to('by_root', '-Fc', '--load-via-partition-root');
dump_to('data', '-Fc', '--data-only');
dump_to('plain_data', '-Fp', '--data-only', '--disable-triggers');
dump_to('directory', '-Fd', '-j', '2');
dump_to('tar', '-Ft');
dump_to('inserts', '-Fp', '--inserts');
dump_to('clean', '-Fp', '--clean', '--if-exists');
dump_to('schema', '-Fp', '--schema-only');
$node->command_ok([ 'pg_dumpall', '-f', "$dir/all", '-d', $node->connstr('postgres') ], 'dump: all');
my $events = $node->safe_psql('origin', 'SELECT max(event_id) FROM workflow_track.event');
$node->safe_psql('origin', $next);
$origin{later} = reports($node, 'origin');
isnt($origin{later}, $origin{reports}, 'what happens next shows in reports');

$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(plain parallel single by_root data_only plain_data directory tar inserts schema_then_data fresh schema_only);
# What has been used, to be put back.
$node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE origin") for qw(clean clean_custom);
restored('plain', 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain");
restored('parallel', 'pg_restore', '--exit-on-error', '-j', '2', "$dir/custom");
restored('single', 'pg_restore', '-1', "$dir/custom");
restored('by_root', 'pg_restore', '--exit-on-error', '-j', '2', "$dir/by_root");
restored('directory', 'pg_restore', '--exit-on-error', '-j', '2', "$dir/directory");
restored('tar', 'pg_restore', '--exit-on-error', "$dir/tar");
restored('inserts', 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/inserts");
# The server does not drop the keys of months before their tables, as the dump would have it, and goes on.
$node->command_checks_all([ 'psql', '-Xq', '-o', '/dev/null', '-f', "$dir/clean", '-d', $node->connstr('clean') ], 0, [qr/^$/],
	[qr/^(psql:\S*: ERROR:  cannot drop inherited constraint "(event|message)_\w+_pkey" of relation "\w+"\n)+\z/], 'clean: restored, but for complaints of keys');
restored('clean');
$node->command_checks_all([ 'pg_restore', '--clean', '--if-exists', "$dir/custom", '-d', $node->connstr('clean_custom') ], 1, [qr/^$/],
	[qr/cannot drop inherited constraint/], 'clean_custom: likewise');
restored('clean_custom');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/schema", '-d', $node->connstr('schema_then_data') ], 'schema_then_data: the schema is restored');
restored('schema_then_data', 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', "$dir/data");

# The schema alone, with setup(), is as good as new.
$node->safe_psql('fresh', 'CREATE EXTENSION workflow_track; SELECT workflow_track.setup();');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/schema", '-d', $node->connstr('schema_only') ], 'schema_only: restored');
$node->safe_psql('schema_only', 'SELECT workflow_track.setup()');
my ($fresh, $schema_only) = map { join "\n", grep { !/^workflow_track\.installation / } split /\n/, tables($node, $_) =~ s/"[-0-9]+ [:.0-9]+\+00"/time/gr } qw(fresh schema_only);
same($schema_only, $fresh, 'schema_only: tables are those of a new database');
$node->safe_psql($_, q(SELECT workflow_track.record_event('result.final', 'p1', 'LIS', date_trunc('month', now(), 'UTC') - interval '9 days', subject => 'x', severity => 'critical')))
  for qw(fresh schema_only);
same(reports($node, 'schema_only'), reports($node, 'fresh'), 'schema_only: what is recorded is found as in a new database');

# As docs/operate.md has it.
my $first_month = $node->safe_psql('origin', 'SELECT min(upper_bound) FROM workflow_track.months()');
my $first_message = $node->safe_psql('origin', 'SELECT min(received_at) FROM workflow_track.message');
my $prepare = "SELECT workflow_track.prepare_restore('$first_month', '$first_message')";
$node->safe_psql($_, "CREATE EXTENSION workflow_track; SELECT workflow_track.setup(); $prepare") for qw(data_only plain_data);
restored('data_only', 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', "$dir/data");
restored('plain_data', 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain_data");
$node->command_fails_like([ 'psql', '-X', '-d', $node->connstr('data_only'), '-c', $prepare ],
	qr/events are recorded in this database/, 'a database with events is not prepared for a restore');

# A server without the roles: setup() makes them, and what they may do.
my $elsewhere = new_server('elsewhere');
$elsewhere->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$elsewhere->command_checks_all([ 'pg_restore', '-d', $elsewhere->connstr('elsewhere'), "$dir/custom" ], 1,
	[qr/^$/], [qr/role "workflow_track_admin" does not exist/], 'elsewhere: restored without roles');
$elsewhere->safe_psql('elsewhere', 'SELECT workflow_track.setup()');
same(tables($elsewhere, 'elsewhere'), $origin{tables}, 'elsewhere: tables are equal');
same(schema('elsewhere', $elsewhere), $origin{schema}, 'elsewhere: definitions and privileges are equal');
same(reports($elsewhere, 'elsewhere'), $origin{reports}, 'elsewhere: reports are equal');

# All databases of a server, which has nobody but who made it.
my $whole = new_server('whole');
$whole->command_checks_all([ 'psql', '-Xq', '-f', "$dir/all", '-d', $whole->connstr('postgres') ], 0, [qr/^\s*(\S+\s+)*$/],
	[qr/^psql:\S*: ERROR:  role "\w+" already exists\n\z/], 'whole: restored, but for the role that is there');
same(tables($whole, 'origin'), $origin{tables}, 'whole: tables are equal');
same(schema('origin', $whole), $origin{schema}, 'whole: definitions and privileges are equal');
same(reports($whole, 'origin'), $origin{reports}, 'whole: reports are equal');
$whole->safe_psql('origin', "SELECT workflow_track.setup(); $next");
same(reports($whole, 'origin'), $origin{later}, 'whole: what happens next is found as in the origin');

done_testing();

# Writes a dump of the origin.
sub dump_to
{
	my ($name, @options) = @_;

	$node->command_ok([ 'pg_dump', '-f', "$dir/$name", @options, '-d', $node->connstr('origin') ], "dump: $name");
}

# All definitions, but for the key that the dump program adds.
sub schema
{
	my ($db, $server) = @_;
	my ($definitions) = run_command([ 'pg_dump', '--schema-only', '-d', ($server // $node)->connstr($db) ]);

	return join "\n", grep { !/^\\(un)?restrict / } split /\n/, $definitions;
}

# Restores into a database by a command, unless that was done, compares all with the origin's, and goes on there.
sub restored
{
	my ($db, @command) = @_;

	$node->command_ok([ @command, '-d', $node->connstr($db) ], "$db: restored") if @command;
	same(tables($node, $db), $origin{tables}, "$db: tables are equal");
	$node->safe_psql($db, 'SELECT workflow_track.setup()');
	same(tables($node, $db), $origin{tables}, "$db: setup() changes nothing");
	same(schema($db), $origin{schema}, "$db: definitions are equal");
	same(reports($node, $db), $origin{reports}, "$db: reports are equal");

	$node->safe_psql($db, $next);
	is($node->safe_psql($db, "SELECT count(*) FROM workflow_track.event WHERE event_id > $events"), 4, "$db: numbers of events go on");
	same(reports($node, $db), $origin{later}, "$db: what happens next is found as in the origin");
	my $kept = kept($node, $db);
	$node->safe_psql($db, 'CALL workflow_track.rebuild()');
	same(kept($node, $db), $kept, "$db: rebuild() changes nothing");
}
