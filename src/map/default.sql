CREATE FUNCTION workflow_track.default_workflow() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $map$
SELECT '{
 "workflow": "default", "version": 1, "state": "current",
 "expectations": [
  {"name": "critical result acknowledged", "category": "acknowledgement",
   "after": ["result.preliminary", "result.final", "result.corrected"], "when": {"severity": "critical"},
   "expect": ["result.acknowledged"], "correlated_by": "item", "within": "1 hour", "early": "2 minutes"},
  {"name": "abnormal result acknowledged", "category": "acknowledgement",
   "after": ["result.preliminary", "result.final", "result.corrected"], "when": {"severity": "abnormal"},
   "expect": ["result.acknowledged"], "correlated_by": "item", "within": "72 hours", "early": "2 minutes"},
  {"name": "normal or unflagged result acknowledged", "category": "acknowledgement",
   "after": ["result.preliminary", "result.final", "result.corrected"], "when": {"severity": ["normal", "unknown"]},
   "expect": ["result.acknowledged"], "correlated_by": "item", "within": "14 days", "early": "2 minutes"},
  {"name": "cancelled result acknowledged", "category": "acknowledgement",
   "after": ["result.cancelled"],
   "expect": ["result.acknowledged"], "correlated_by": "item", "within": "72 hours", "early": "2 minutes"},

  {"name": "patient told of an actionable result", "category": "notification",
   "after": ["result.final", "result.corrected"],
   "when": {"severity": ["abnormal", "critical"], "detail": {"patient_class": ["O", "E", "R", "P"]}},
   "expect": ["patient.notified"], "correlated_by": "item", "within": "7 days",
   "cancelled_by": [{"kind": "patient.died", "correlated_by": "patient"}]},

  {"name": "order resulted", "category": "order",
   "after": ["order.placed"],
   "expect": ["result.final", "result.corrected"], "correlated_by": "subject", "within": "3 days", "early": "1 day",
   "cancelled_by": ["order.cancelled", "order.replaced", "result.cancelled"]},

  {"name": "inpatient followed up after discharge", "category": "follow_up",
   "after": ["encounter.discharged"], "when": {"detail": {"patient_class": "I"}},
   "expect": ["followup.completed", "appointment.arrived"], "correlated_by": "patient", "within": "7 days",
   "cancelled_by": ["encounter.admitted", "patient.died"]},

  {"name": "referral accepted", "category": "referral",
   "after": ["referral.sent"],
   "expect": ["referral.accepted"], "correlated_by": "subject", "within": "3 days",
   "cancelled_by": ["referral.rejected", "referral.cancelled"]},
  {"name": "referred patient seen", "category": "referral",
   "after": ["referral.sent"],
   "expect": ["referral.seen"], "correlated_by": "subject", "within": "30 days",
   "cancelled_by": ["referral.rejected", "referral.cancelled"]},
  {"name": "referral report returned", "category": "referral",
   "after": ["referral.seen"],
   "expect": ["referral.report_returned"], "correlated_by": "subject", "within": "7 days"},
  {"name": "rejected referral sent again", "category": "referral",
   "after": ["referral.rejected"],
   "expect": ["referral.sent"], "correlated_by": "subject", "within": "3 days",
   "cancelled_by": ["referral.cancelled", "referral.closed"]},

  {"name": "handoff accepted", "category": "handoff",
   "after": ["handoff.offered"],
   "expect": ["handoff.accepted"], "correlated_by": "subject", "within": "30 minutes",
   "cancelled_by": ["handoff.rejected"]},
  {"name": "rejected handoff offered again", "category": "handoff",
   "after": ["handoff.rejected"],
   "expect": ["handoff.offered"], "correlated_by": "subject", "within": "30 minutes"},

  {"name": "claim answered", "category": "claim",
   "after": ["claim.submitted"],
   "expect": ["claim.accepted", "claim.denied", "claim.paid"], "correlated_by": "subject", "within": "30 days"}],
 "duplicates": [
  {"name": "same data typed into two systems", "kind": "data.entered",
   "same": ["code", "value"], "different": ["source_system"], "when": {"entry_method": "manual"},
   "within": "24 hours", "action": "flag"}]
}'::jsonb
$map$;
COMMENT ON FUNCTION workflow_track.default_workflow() IS
'the shipped map, for a site that has declared none: it names no roles and no billing rules, which differ from site to site';
