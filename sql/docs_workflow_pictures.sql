CREATE EXTENSION workflow_track;
SELECT workflow_track.setup();

SELECT workflow_track.define_workflow('{
 "workflow": "lab results", "version": 1, "state": "current",
 "steps": [
  {"step": "order", "kind": "order.placed", "performed_by": ["provider"], "in": ["EHR"], "start": true},
  {"step": "draw", "kind": "specimen.collected", "performed_by": ["nurse"], "optional": true},
  {"step": "result", "kind": "result.final", "performed_by": ["lab_tech"], "in": ["LIS"], "delivered_to": ["provider"]},
  {"step": "acknowledge", "kind": "result.acknowledged", "performed_by": ["provider"], "in": ["EHR"], "end": true}],
 "transitions": [["order", "draw"], ["draw", "result"], ["result", "acknowledge"]],
 "expectations": [
  {"name": "result acknowledged", "category": "acknowledgement", "after": ["result.final"], "expect": ["result.acknowledged"],
   "by": ["provider"], "correlated_by": "item", "within": "72 hours"}]
}');

SELECT workflow_track.define_workflow('{
 "workflow": "lab results", "version": 2, "state": "future",
 "steps": [
  {"step": "order", "kind": "order.placed", "performed_by": ["provider", "nurse"], "in": ["EHR"], "start": true},
  {"step": "collect", "kind": "specimen.collected", "performed_by": ["nurse"]},
  {"step": "result", "kind": "result.final", "performed_by": ["lab_tech"], "in": ["LIS"], "delivered_to": ["provider", "triage_nurse"]},
  {"step": "acknowledge", "kind": "result.acknowledged", "performed_by": ["provider"], "in": ["EHR"], "end": true},
  {"step": "tell", "kind": "patient.notified", "performed_by": ["nurse"], "end": true}],
 "transitions": [["order", "collect"], ["collect", "result"], ["result", "acknowledge"], ["acknowledge", "tell"]],
 "expectations": [
  {"name": "result acknowledged", "category": "acknowledgement", "after": ["result.final", "result.corrected"], "expect": ["result.acknowledged"],
   "by": ["provider"], "correlated_by": "item", "within": "24 hours"}]
}');

SELECT sentence FROM workflow_track.compare_workflows('lab results', 1, 'lab results', 2);

SELECT workflow_track.workflow_picture('lab results', 1, 'mermaid');

INSERT INTO workflow_track.event (patient_id, encounter_id, facility, kind, occurred_at) VALUES
  ('P1', 'V1', 'NORTH', 'order.placed', '2024-03-04 08:00'), ('P1', 'V1', 'NORTH', 'specimen.collected', '2024-03-04 08:20'),
  ('P1', 'V1', 'NORTH', 'result.final', '2024-03-04 10:00'), ('P1', 'V1', 'NORTH', 'result.acknowledged', '2024-03-05 09:30'),
  ('P2', 'V2', 'NORTH', 'order.placed', '2024-03-04 09:00'), ('P2', 'V2', 'NORTH', 'result.final', '2024-03-04 09:45'),
  ('P2', 'V2', 'NORTH', 'result.final', '2024-03-04 11:00');
SELECT line FROM regexp_split_to_table(
  workflow_track.workflow_picture('lab results', 1, since => '2024-03-01', until => '2024-04-01', facility => 'NORTH'), '\n') AS line
WHERE line LIKE '%->%';

SELECT jsonb_pretty(workflow_track.import_bpmn('
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">
 <process id="Process_1" name="critical results">
  <laneSet id="L">
   <lane id="L1" name="lab_tech"><flowNodeRef>T1</flowNodeRef></lane>
   <lane id="L2" name="provider"><flowNodeRef>T2</flowNodeRef></lane>
  </laneSet>
  <startEvent id="S"/>
  <task id="T1" name="Result final"/>
  <userTask id="T2" name="Look at it"/>
  <boundaryEvent id="B1" name="critical result acknowledged" attachedToRef="T2" cancelActivity="false">
   <timerEventDefinition><timeDuration>PT1H</timeDuration></timerEventDefinition>
  </boundaryEvent>
  <endEvent id="E"/>
  <sequenceFlow id="F1" sourceRef="S" targetRef="T1"/>
  <sequenceFlow id="F2" sourceRef="T1" targetRef="T2"/>
  <sequenceFlow id="F3" sourceRef="T2" targetRef="E"/>
 </process>
</definitions>', kinds => '{"Look at it": "result.acknowledged"}')) AS document;

SELECT xpath('//*[local-name() = "lane"]/@name', workflow_track.export_bpmn('lab results', 1)) AS lanes;

SELECT workflow_track.import_bpmn(workflow_track.export_bpmn('lab results', 1)) = workflow_track.workflow_document('lab results', 1) AS equal;

SELECT workflow_track.define_workflow(workflow_track.import_bpmn(workflow_track.export_bpmn('lab results', 2), version => 3));

SELECT workflow, version, state FROM workflow_track.workflow WHERE workflow = 'lab results' ORDER BY version;
