# What the TAP tests share: servers, a small hospital, and what a database holds as text.

package WorkflowTrack;

use strict;
use warnings;

use Exporter 'import';
use File::Basename;
use PostgreSQL::Test::Cluster;
use Test::More;

our @EXPORT = qw(new_server hospital tables reports kept holds same);

# The moment that views with one are asked about.
use constant MOMENT => q(date_trunc('month', now(), 'UTC'));

# A started server; settings come last in its configuration.
sub new_server
{
	my ($name, $settings, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ], %init);
	$node->append_conf('postgresql.conf',
		"log_statement = none\nshared_buffers = 64MB\nmax_connections = 40\njit = off\ntimezone = 'UTC'\n" . ($settings // ''));
	$node->start;
	return $node;
}

# Makes a database with the events of hospital.sql.
sub hospital
{
	my ($node, $db) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', dirname(__FILE__) . '/hospital.sql' ],
		"events are recorded in $db");
}

# Every row of some relations, named in the text before each; a relation is what can stand after FROM, or a name, = and that.
sub rows
{
	my ($node, $db, @relations) = @_;
	my $sql = join "\n", map {
		my ($name, $from) = /^([\w.]+)=(.*)/s ? ($1, $2) : (s/'/''/gr, $_);
		qq(SELECT '$name ' || r::text FROM $from r ORDER BY r::text COLLATE "C";)
	} @relations;

	return $node->safe_psql($db, $sql);
}

# Every row of every table.
sub tables
{
	my ($node, $db) = @_;

	return rows($node, $db, split /\n/, $node->safe_psql($db,
		q(SELECT oid::regclass FROM pg_class
		  WHERE relnamespace = 'workflow_track'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
		  ORDER BY relname COLLATE "C")));
}

# Every row of every report: of those that are asked about a moment, at that moment.
sub reports
{
	my ($node, $db) = @_;

	return rows($node, $db, map { s/MOMENT/@{[MOMENT]}/r } split /\n/, $node->safe_psql($db,
		q(SELECT 'workflow_track.' || CASE WHEN to_regprocedure('workflow_track.' || relname || '_at(timestamptz)') IS NULL
		         THEN relname ELSE relname || '_at(MOMENT)' END
		  FROM pg_class WHERE relnamespace = 'workflow_track'::regnamespace AND relkind = 'v'
			AND relname NOT IN ('health', 'event_history')
		  ORDER BY relname COLLATE "C")));
}

# What detection keeps, rollups as their views show them; an older version does not keep all of it.
sub kept
{
	my ($node, $db) = @_;
	my @kept = qw(loop_state duplicate_state misrouted_state missing_state identity_conflict billing_state charge_state claim_state handoff_latency handoff_latency_hourly);

	return rows($node, $db, '(SELECT patient_id, linked FROM workflow_track.patient_state)',
		'workflow_track.patient_merge=(SELECT patient_id, merged_id, event_id FROM workflow_track.patient_merge)',
		'workflow_track.encounter_merge=(SELECT patient_id, encounter_id, merged_id, event_id FROM workflow_track.encounter_merge)', split /\n/, $node->safe_psql($db,
		qq(SELECT 'workflow_track.' || name FROM unnest('{@{[ join ',', @kept ]}}'::text[]) WITH ORDINALITY k (name, n)
		   WHERE to_regclass('workflow_track.' || name) IS NOT NULL ORDER BY n)));
}

# Passes for each table or view that a text has rows of.
sub holds
{
	my ($text, @relations) = @_;

	ok($text =~ /^workflow_track\.$_ /m, "there is something in $_") for @relations;
}

# Passes if two texts are equal and not empty; shows the first lines that only one of them has.
sub same
{
	my ($got, $expected, $name) = @_;
	my %expected = map { $_ => 1 } split /\n/, $expected;
	my @unexpected = grep { !delete $expected{$_} } split /\n/, $got;
	my @missing = sort keys %expected;

	ok($got ne '' && $got eq $expected, $name) and return;
	diag(map { "  $_\n" } scalar(@unexpected) . ' lines too many:', grep { defined } @unexpected[ 0 .. 4 ]);
	diag(map { "  $_\n" } scalar(@missing) . ' lines missing:', grep { defined } @missing[ 0 .. 4 ]);
}

1;
