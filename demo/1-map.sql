-- A small hospital: its two houses, its people, and how its work should go.

SET timezone = 'UTC';
\o /dev/null

INSERT INTO workflow_track.facility (facility, name, timezone) VALUES
	('NORTH', 'North Hospital', 'Europe/London'),
	('EAST', 'Eastside Clinic', 'Europe/London');

-- Without a facility: wherever the event is.
INSERT INTO workflow_track.staff (actor, role, facility, system, is_shared_inbox, active_during) VALUES
	('dr.okafor',     'provider',             'NORTH', 'EHR', false, NULL),
	('dr.lindqvist',  'provider',             'NORTH', 'EHR', false, NULL),
	('dr.haddad',     'provider',             'NORTH', 'EHR', false, '[2024-09-01,)'),
	('dr.tanaka',     'provider',             'EAST',  'EHR', false, NULL),
	('dr.moreau',     'provider',             'EAST',  'EHR', false, NULL),
	('dr.brandt',     'provider',             NULL,    'EHR', false, '[2019-01-01,2026-02-01)'),	-- has left
	('inbox.results', 'provider',             NULL,    'EHR', true,  NULL),
	('dr.silva',      'covering_provider',    NULL,    'EHR', false, NULL),
	('n.reyes',       'triage_nurse',         'NORTH', 'EHR', false, NULL),
	('n.cohen',       'triage_nurse',         'NORTH', 'EHR', false, NULL),
	('n.novak',       'triage_nurse',         'EAST',  'EHR', false, NULL),
	('n.patel',       'nurse',                'NORTH', 'EHR', false, NULL),
	('n.kowalski',    'nurse',                'NORTH', 'EHR', false, NULL),
	('n.mensah',      'nurse',                'EAST',  'EHR', false, NULL),
	('n.dubois',      'nurse',                'EAST',  'EHR', false, NULL),
	('n.ivanova',     'charge_nurse',         'NORTH', 'EHR', false, NULL),
	('n.brown',       'charge_nurse',         'EAST',  'EHR', false, NULL),
	('l.nguyen',      'lab_tech',             'NORTH', 'LIS', false, NULL),
	('l.rossi',       'lab_tech',             'EAST',  'LIS', false, NULL),
	('dr.oneil',      'radiologist',          NULL,    'RIS', false, NULL),
	('f.smith',       'front_desk',           'NORTH', 'PMS', false, NULL),
	('f.garcia',      'front_desk',           'NORTH', 'PMS', false, NULL),
	('f.muller',      'front_desk',           'EAST',  'PMS', false, NULL),
	('c.haas',        'referral_coordinator', 'NORTH', 'EHR', false, NULL),
	('c.lopez',       'referral_coordinator', 'EAST',  'EHR', false, NULL),
	('b.olsen',       'coder',                NULL,    'BILL', false, NULL);

-- The shipped map makes way for this hospital's own.
SELECT workflow_track.set_workflow_state('default', 1, 'retired');

SELECT workflow_track.define_workflow('{
 "workflow": "results", "version": 1, "state": "current",
 "steps": [
  {"step": "order",       "kind": "order.placed",        "performed_by": ["provider"], "in": ["EHR"]},
  {"step": "result",      "kind": "result.final",        "in": ["LIS", "RIS"], "delivered_to": ["provider", "covering_provider"]},
  {"step": "receive",     "kind": "specimen.received",   "in": ["LIS"], "required_fields": ["detail.container"], "optional": true},
  {"step": "correction",  "kind": "result.corrected",    "in": ["LIS", "RIS"], "delivered_to": ["provider", "covering_provider"]},
  {"step": "acknowledge", "kind": "result.acknowledged", "performed_by": ["provider", "covering_provider"], "in": ["EHR"]},
  {"step": "tell",        "kind": "patient.notified",    "in": ["EHR"]}],
 "transitions": [["order", "result"], ["result", "correction"], ["result", "acknowledge"], ["correction", "acknowledge"],
  ["acknowledge", "tell"]],
 "expectations": [
  {"name": "critical result acknowledged", "category": "acknowledgement",
   "after": ["result.final", "result.corrected"], "when": {"severity": "critical"},
   "expect": ["result.acknowledged"], "by": ["provider", "covering_provider"], "correlated_by": "item",
   "within": "1 hour", "early": "2 minutes", "escalate_to": "charge_nurse"},
  {"name": "abnormal result acknowledged", "category": "acknowledgement",
   "after": ["result.final", "result.corrected"], "when": {"severity": "abnormal"},
   "expect": ["result.acknowledged"], "by": ["provider", "covering_provider"], "correlated_by": "item",
   "within": "4 hours", "early": "2 minutes", "escalate_to": "charge_nurse"},
  {"name": "patient told of the result", "category": "notification",
   "after": ["result.final", "result.corrected"], "when": {"severity": ["abnormal", "critical"]},
   "expect": ["patient.notified"], "correlated_by": "item", "within": "6 hours"},
  {"name": "order resulted", "category": "order",
   "after": ["order.placed"], "expect": ["result.final"], "correlated_by": "subject", "within": "4 hours",
   "cancelled_by": ["order.cancelled"]}],
 "duplicates": [
  {"name": "ordered twice", "kind": "order.placed", "same": ["encounter_id", "code"], "within": "1 hour"}]}');

SELECT workflow_track.define_workflow('{
 "workflow": "registration", "version": 1, "state": "current",
 "steps": [{"step": "register", "kind": "patient.registered", "performed_by": ["front_desk"], "in": ["PMS"]}],
 "duplicates": [
  {"name": "typed into two systems", "kind": "data.entered", "when": {"entry_method": "manual"},
   "same": ["code", "value"], "different": ["source_system"], "within": "24 hours"}]}');

SELECT workflow_track.define_workflow('{
 "workflow": "handoff", "version": 1, "state": "current",
 "expectations": [
  {"name": "handoff accepted", "category": "handoff",
   "after": ["handoff.offered"], "expect": ["handoff.accepted"], "correlated_by": "subject", "within": "30 minutes",
   "cancelled_by": ["handoff.rejected"], "escalate_to": "charge_nurse"}]}');

SELECT workflow_track.define_workflow('{
 "workflow": "referral", "version": 1, "state": "current",
 "expectations": [
  {"name": "referral accepted", "category": "referral",
   "after": ["referral.sent"], "expect": ["referral.accepted"], "by": ["referral_coordinator"], "correlated_by": "subject",
   "within": "4 hours", "cancelled_by": ["referral.rejected", "referral.cancelled"]},
  {"name": "authorization answered", "category": "referral",
   "after": ["authorization.requested"], "expect": ["authorization.approved", "authorization.denied"],
   "correlated_by": "subject", "within": "2 days"}]}');

SELECT workflow_track.define_workflow('{
 "workflow": "discharge", "version": 1, "state": "current",
 "expectations": [
  {"name": "follow-up booked", "category": "follow_up",
   "after": ["encounter.discharged"], "when": {"detail": {"patient_class": "I"}},
   "expect": ["followup.scheduled", "appointment.booked"], "correlated_by": "patient", "within": "2 hours",
   "cancelled_by": ["encounter.admitted", "patient.died"]}]}');

SELECT workflow_track.define_workflow('{
 "workflow": "billing", "version": 1, "state": "current",
 "billing": [
  {"name": "services", "codes": "cpt|", "documented_by": ["procedure.documented"], "within": "2 hours"},
  {"name": "visits", "codes": "cpt|99", "documented_by": ["procedure.documented"], "requires_modifiers": ["25"], "within": "2 hours"},
  {"name": "scans", "codes": "cpt|70", "documented_by": ["procedure.documented"], "requires_authorization": true, "within": "2 hours"}]}');
\o
