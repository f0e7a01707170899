# A standby answers every report, as the primary does, while the primary is written to.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use Test::More;
use WorkflowTrack;

my $primary = new_server('primary', '', allows_streaming => 1);
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'hot_standby_feedback = on');
$standby->start;

hospital($primary, 'hospital');
$primary->wait_for_catchup($standby);
my $reports = reports($primary, 'hospital');
same(reports($standby, 'hospital'), $reports, 'reports are equal');
is($standby->safe_psql('hospital', 'SELECT bool_and(verdict IS NOT NULL) FROM workflow_track.health'), 't', 'health answers');
is($standby->safe_psql('hospital', "SELECT count(*) > 0 FROM workflow_track.event_history WHERE retracted_at IS NOT NULL"), 't',
	'the history of events answers');

# As an analyst, who sees one facility.
is($standby->safe_psql('hospital', q(
	SET ROLE workflow_track_analyst;
	SELECT string_agg(DISTINCT facility, ',') FROM workflow_track.care_loop)), 'north', 'an analyst sees what is granted');

# A session that has read the map and staff hears of changes that are replayed.
my $reader = $standby->background_psql('hospital', on_error_stop => 1);
my $load = $primary->background_psql('hospital', on_error_stop => 1);
my $coverage = q(SELECT count(*) FROM workflow_track.rule_coverage WHERE expectation = 'new';);
my $active = q(SELECT bool_or(owner_active) FROM workflow_track.care_loop WHERE owner = 'dr2';);
is($reader->query_safe($coverage), '0', 'a map as it was');
is($reader->query_safe($active), 't', 'staff as it was');
$primary->safe_psql('hospital', q(
	UPDATE workflow_track.staff SET active_during = 'empty' WHERE actor = 'dr2';
	SELECT workflow_track.define_workflow('{"workflow": "more", "version": 1, "state": "current", "expectations": [
		{"name": "new", "category": "order", "after": ["order.placed"], "expect": ["result.final"],
		 "correlated_by": "subject", "within": "1 day"}]}');
));
$primary->wait_for_catchup($standby);
is($reader->query_safe($coverage), '2', 'a map as it is now');
is($reader->query_safe($active), 'f', 'staff as it is now');

# While the primary is written to, months are made and rollups are folded.
$load->query_until(qr/begun/, q(
	\echo begun
	DO $$
	BEGIN
		FOR n IN 1 .. 200 LOOP
			INSERT INTO workflow_track.event (kind, occurred_at, facility, patient_id, encounter_id, subject, source_system, actor)
				SELECT 'order.placed', now() - interval '1 day', 'north', 'p' || (n + m) % 60, 'live', 'live' || n, 'EHR', 'dr' || m % 5
				FROM generate_series(1, 20) m;
			COMMIT;
			IF n % 20 = 0 THEN
				PERFORM workflow_track.maintain();
				PERFORM workflow_track.ensure_partitions(now(), now() + n * interval '1 month');
				COMMIT;
			END IF;
		END LOOP;
	END
	$$;
	\echo done
));
# What is asked while more comes is asked between two counts that differ.
my $live = q(SELECT count(*) FROM workflow_track.event WHERE encounter_id = 'live');
my ($asked, $meanwhile) = (0, 0);
do
{
	my ($before, $after) = map { reports($standby, 'hospital') if $_; $standby->safe_psql('hospital', $live) } 0, 1;

	$asked++;
	$meanwhile++ if $before < 4000 && $after > $before;
} until $primary->safe_psql('hospital', $live) == 4000;
cmp_ok($meanwhile, '>', 0, "reports answer while more comes: $meanwhile of $asked times");
$load->quit;
$reader->quit;
$primary->wait_for_catchup($standby);
same(reports($standby, 'hospital'), reports($primary, 'hospital'), 'reports are equal in the end');

# The standby takes over.
$primary->stop;
$standby->promote;
$standby->safe_psql('hospital', q(SELECT workflow_track.record_event('order.placed', 'px', 'EHR', now() - interval '1 day', subject => 'after')));
is($standby->safe_psql('hospital', q(SELECT count(*) FROM workflow_track.care_loop WHERE subject = 'after')), '2', 'a standby that takes over detects');

done_testing();
