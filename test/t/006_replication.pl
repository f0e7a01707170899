# Logical replication: a second database detects what it is sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Test::More;
use WorkflowTrack;

my $sender = new_server('sender', '', allows_streaming => 'logical');
my $receiver = new_server('receiver', '', allows_streaming => 'logical');

hospital($sender, 'hospital');
$sender->safe_psql('hospital', 'CALL workflow_track.catch_up()');

# As docs/operate.md has it: the map on both sides, the rest by replication.
my $map = $sender->safe_psql('hospital', q(
	SELECT format('SELECT workflow_track.define_workflow(%L);', workflow_track.workflow_document('site', 3))));
$receiver->safe_psql('postgres', 'CREATE DATABASE copy');
$receiver->safe_psql('copy', qq(
	CREATE EXTENSION workflow_track;
	SELECT workflow_track.setup();
	SELECT workflow_track.set_workflow_state('default', 1, 'retired');
	INSERT INTO workflow_track.facility_access VALUES ('workflow_track_analyst', 'north');
	$map
));
$sender->safe_psql('hospital', q(
	CREATE PUBLICATION workflow_track FOR TABLE workflow_track.event, workflow_track.retraction, workflow_track.cancellation,
		workflow_track.staff, workflow_track.facility, workflow_track.subject_alias, workflow_track.test_patient
		WITH (publish_via_partition_root = true);
));
$receiver->safe_psql('copy', sprintf(q(
	CREATE SUBSCRIPTION workflow_track CONNECTION '%s' PUBLICATION workflow_track;
), $sender->connstr('hospital') =~ s/'/''/gr));
$receiver->wait_for_subscription_sync($sender, 'workflow_track', 'copy');
# Staff may have come after events.
$receiver->safe_psql('copy', 'CALL workflow_track.catch_up()');

compare('after the initial copy');

# A transaction's worth, and a merge that joins what the copy brought.
$sender->safe_psql('hospital', q(
	BEGIN;
	INSERT INTO workflow_track.event (kind, occurred_at, patient_id, subject, item, severity, source_system, actor, recipient)
		SELECT 'result.final', date_trunc('month', now(), 'UTC') - n * interval '1 hour', 'p' || n % 70, 'new' || n, 'r',
			'critical', 'LIS', 'lab', 'dr1'
		FROM generate_series(1, 200) n;
	INSERT INTO workflow_track.event (kind, occurred_at, patient_id, subject, source_system, actor)
		SELECT 'result.acknowledged', date_trunc('month', now(), 'UTC') - n * interval '30 minutes', 'p' || n % 70, 'new' || n, 'EHR', 'dr1'
		FROM generate_series(1, 200) n;
	INSERT INTO workflow_track.event (kind, occurred_at, patient_id, subject, source_system)
		VALUES ('patient.merged', date_trunc('month', now()) - interval '3 days', 'p30', 'p31', 'PMS');
	SELECT workflow_track.retract_event(max(event_id), 'never happened') FROM workflow_track.event WHERE kind = 'result.acknowledged';
	INSERT INTO workflow_track.subject_alias VALUES ('p30', 'x', 'new30');
	DELETE FROM workflow_track.test_patient WHERE patient_id = 'p12';
	COMMIT;
));
compare('after events of all sorts');

# Staff as sent is the staff that counts: at once for what comes now, after catch_up() for what is there.
$sender->safe_psql('hospital', q(
	UPDATE workflow_track.staff SET role = 'nurse' WHERE actor = 'dr1';
	DELETE FROM workflow_track.staff WHERE actor = 'inbox';
	INSERT INTO workflow_track.staff (actor, role) VALUES ('gone', 'provider');
));
$sender->safe_psql('hospital', q(
	SELECT workflow_track.record_event('result.final', 'p1', 'LIS', date_trunc('month', now(), 'UTC') - interval '2 hours',
		subject => 'late', item => 'r', severity => 'critical', actor => 'dr1', recipient => 'gone');
));
$sender->wait_for_catchup('workflow_track');
is($receiver->safe_psql('copy', q(SELECT owner_role FROM workflow_track.care_loop WHERE subject = 'late' AND expectation = 'critical acknowledged')),
	'provider', 'staff as it was sent counts for what comes after it');
is($receiver->safe_psql('copy', q(SELECT string_agg(name, ',' ORDER BY name) FROM workflow_track.stale_mark)),
	'dr1,gone,inbox', 'changes of staff wait for catch_up() where they were sent');
$_->[0]->safe_psql($_->[1], 'CALL workflow_track.catch_up()') for [ $sender, 'hospital' ], [ $receiver, 'copy' ];
compare('after a change of staff');

my $kept = kept($receiver, 'copy');
$receiver->safe_psql('copy', 'CALL workflow_track.rebuild()');
same(kept($receiver, 'copy'), $kept, 'rebuild() changes nothing');
is($receiver->safe_psql('copy', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'and is what the definitions say');
is($receiver->safe_psql('copy', q(SELECT count(*) FROM workflow_track.stale_patient)), 0, 'nothing is stale');

# Messages call events off: before they come, after, and no longer once the message means something else.
message($sender, 'hospital', 'A11', 11, 'c1');
message($sender, 'hospital', 'A01', 12, 'c1');
message($sender, 'hospital', 'A01', 13, 'c2');
message($sender, 'hospital', 'A11', 14, 'c2');
my $admitted = q(SELECT patient_id, retracted_at IS NOT NULL FROM workflow_track.event_history
	WHERE kind = 'encounter.admitted' AND patient_id IN ('c1', 'c2', 'm1', 'r1') ORDER BY patient_id);
is($sender->safe_psql('hospital', $admitted), "c1|t\nc2|t\nm1|t", 'admissions are called off');
$sender->wait_for_catchup('workflow_track');
is($receiver->safe_psql('copy', $admitted), "c1|t\nc2|t\nm1|t", 'and are so where they are sent');

# The receiver takes messages of its own too, with numbers of its own.
$receiver->safe_psql('copy', q(
	SELECT setval(pg_get_serial_sequence('workflow_track.' || name, name || '_id'), 1000000000000) FROM unnest(ARRAY['event', 'message']) name));
message($receiver, 'copy', 'A01', 1, 'r1');
message($receiver, 'copy', 'A11', 2, 'r1');
$receiver->safe_psql('copy', q(
	SELECT workflow_track.record_event('patient.merged', patient, 'PMS', subject => patient || 'old') FROM unnest(ARRAY['c1', 'm1']) patient));
$receiver->safe_psql('copy', 'CALL workflow_track.rebuild()');
is($receiver->safe_psql('copy', $admitted), "c1|t\nc2|t\nm1|t\nr1|t", 'what was called off stays so, whatever the receiver takes and evaluates');
is($receiver->safe_psql('copy', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'the receiver holds what the definitions say');

$sender->safe_psql('hospital', q(
	INSERT INTO workflow_track.hl7v2_mapping (name, enabled, message, kind) VALUES ('cancel admit', false, '{ADT^A11}', '''encounter.admitted''');
	SELECT workflow_track.reprocess(message_id) FROM workflow_track.message WHERE control_id IN ('11', '14') AND message_type = 'ADT^A11'));
is($sender->safe_psql('hospital', $admitted), "c1|f\nc2|f\nm1|t", 'admissions that are no longer called off');
$sender->wait_for_catchup('workflow_track');
is($receiver->safe_psql('copy', $admitted), "c1|f\nc2|f\nm1|t\nr1|t", 'are so no longer where they are sent');
$receiver->safe_psql('copy', 'CALL workflow_track.rebuild()');
is($receiver->safe_psql('copy', $admitted), "c1|f\nc2|f\nm1|t\nr1|t", 'nor by rebuild()');
is($receiver->safe_psql('copy', 'SELECT count(*) FROM workflow_track.stale_patient'), 0, 'nothing is stale in the end');

done_testing();

# Has a message of an admission, or of one that is called off, ingested: a node, its database, type, control id and patient.
sub message
{
	my ($node, $db, $type, $id, $patient) = @_;

	$node->safe_psql($db, qq(SELECT workflow_track.ingest_hl7v2(
		E'MSH|^~\\\\&|PMS|north|||20260801080000||ADT^$type|$id|P|2.5\\rEVN|$type|20260801080000\\rPID|1||$patient\\rPV1|1|I|||||||||||||||||v$patient')));
}

# Compares both databases when all has arrived.
sub compare
{
	my ($when) = @_;

	$sender->wait_for_catchup('workflow_track');
	same(kept($receiver, 'copy') =~ s/^workflow_track.(loop|duplicate)_state .*\n//gmr,
		kept($sender, 'hospital') =~ s/^workflow_track.(loop|duplicate)_state .*\n//gmr, "$when: what is kept is equal");
	# messages stay where they came in
	same(reports($receiver, 'copy'), reports($sender, 'hospital') =~ s/^workflow_track.(message_exception|message_arrival|data_flow) .*\n//gmr, "$when: reports are equal");
}
