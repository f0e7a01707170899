# What is reported from the horizon of retention on is what a database reports that kept everything, whatever comes later.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
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
	equal($horizon, 'after the drop');
	$node->safe_psql('retained', 'CALL workflow_track.rebuild()');
	equal($horizon, 'after rebuild()');

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
	equal($horizon, 'after what came later');
}
is($node->safe_psql('retained', q(SELECT count(*) FROM workflow_track.patient_merge)),
	$node->safe_psql('complete', 'SELECT count(*) FROM workflow_track.patient_merge'), 'merges are kept');
is($node->safe_psql('retained', q(
	SELECT count(*) FROM workflow_track.patient_state p
	WHERE NOT linked AND NOT EXISTS (SELECT FROM workflow_track.event e WHERE e.patient_id = p.patient_id))), 0, 'patients without events are forgotten');

done_testing();

# Passes if both databases report the same from a moment on; events are named by what does not depend on numbers.
sub equal
{
	my ($horizon, $name) = @_;
	my @rows = (
		(map { "(SELECT * FROM workflow_track.${_}_at(${\WorkflowTrack::MOMENT}) WHERE opened_at >= $horizon)" } qw(care_loop unacknowledged_result missed_follow_up overdue_loop)),
		"(SELECT * FROM workflow_track.duplicate_entry WHERE duplicate_at >= $horizon)",
		"(SELECT * FROM workflow_track.misrouted_result WHERE occurred_at >= $horizon)",
		"(SELECT * FROM workflow_track.handoff WHERE taken_at >= $horizon)",
		"(SELECT * FROM workflow_track.handoff_latency_hourly WHERE hour >= $horizon)",
		"(SELECT * FROM workflow_track.conformance WHERE started_at >= $horizon)",
		"(SELECT * FROM workflow_track.workflow_variant($horizon))",
		"(SELECT from_kind, to_kind, follows, cases, facility FROM workflow_track.directly_follows($horizon))",
		"(SELECT * FROM workflow_track.message_exception WHERE received_at >= $horizon)");
	my $expected = WorkflowTrack::rows($node, 'complete', @rows);
	my $found = WorkflowTrack::rows($node, 'retained', @rows);
	same($found, $expected, "reports from the horizon on are equal $name");
	is($node->safe_psql('retained', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, "and what is kept is what the definitions say $name");
}
