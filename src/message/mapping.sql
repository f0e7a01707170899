-- The shipped rules: their names and the columns that they give.
CREATE FUNCTION workflow_track.shipped_hl7v2_mapping() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $mapping$
	SELECT $rules$[
	{"name": "defaults", "action": "defaults", "message": ["*"],
		"patient_id": "id PID-3", "encounter_id": "PV1-19.1, PID-18.1", "facility": "PV1-3.4.1",
		"occurred_at": "EVN-6, EVN-2, MSH-7", "source_sequence": "MSH-13",
		"identifiers": "each PID-3.1, each PV1-19.1, each PID-18.1, each ORC-2.1, each ORC-3.1, each OBR-2.1, each OBR-3.1, each OBR-18.1, each OBR-20.1, each SPM-2.1.1, each SPM-2.2.1, each TXA-12.1, each FT1-2.1, each RF1-6.1, each RF1-11.1, each SCH-1.1, each SCH-2.1, each MRG-1.1, each MRG-5.1",
		"description": "columns of every event whose rule gives no other, and the numbers that messages are found by"},

	{"name": "alias of ORC", "action": "alias", "message": ["*"], "segment": "ORC", "subject": "ORC-2.1", "alias": "ORC-3.1",
		"description": "placer and filler number of an order are one subject"},
	{"name": "alias of OBR", "action": "alias", "message": ["*"], "segment": "OBR", "subject": "OBR-2.1", "alias": "OBR-3.1",
		"description": "placer and filler number of an order are one subject"},
	{"name": "acknowledgement", "action": "answer", "message": ["ACK^*", "MCF^*", "ORR^*", "ORL^*", "ORG^*", "ORD^*", "ORS^*", "ORN^*", "ORI^*", "ORP^*", "ORB^*", "RRE^*", "RRD^*", "RRA^*", "RRG^*", "SRR^*"], "segment": "MSA",
		"description": "MSA tells what became of a message that another system sent"},

	{"name": "encounter.admitted", "message": ["ADT^A01", "ADT^A06"], "kind": "'encounter.admitted'",
		"occurred_at": "EVN-6, EVN-2, PV1-44, MSH-7", "actor": "EVN-5.1", "detail": "patient_class: PV1-2; unit: PV1-3.1; disposition: PV1-36",
		"description": "A01 admit; A06 an outpatient becomes an inpatient"},
	{"name": "encounter.transferred", "message": ["ADT^A02"], "kind": "'encounter.transferred'",
		"actor": "EVN-5.1", "detail": "patient_class: PV1-2; unit: PV1-3.1; disposition: PV1-36", "description": "A02 transfer"},
	{"name": "encounter.discharged", "message": ["ADT^A03"], "kind": "'encounter.discharged'",
		"occurred_at": "EVN-6, EVN-2, PV1-45, MSH-7", "actor": "EVN-5.1", "detail": "patient_class: PV1-2; unit: PV1-3.1; disposition: PV1-36",
		"description": "A03 discharge"},
	{"name": "encounter.registered", "message": ["ADT^A04"], "kind": "'encounter.registered'",
		"occurred_at": "EVN-6, EVN-2, PV1-44, MSH-7", "actor": "EVN-5.1", "detail": "patient_class: PV1-2; unit: PV1-3.1; disposition: PV1-36",
		"description": "A04 a visit without admission"},
	{"name": "encounter.preadmitted", "message": ["ADT^A05"], "kind": "'encounter.preadmitted'",
		"actor": "EVN-5.1", "detail": "patient_class: PV1-2; unit: PV1-3.1; disposition: PV1-36", "description": "A05 pre-admission"},
	{"name": "patient.died", "message": ["ADT^A01", "ADT^A02", "ADT^A03", "ADT^A04", "ADT^A05", "ADT^A06", "ADT^A08", "ADT^A31"], "condition": "PID-30 = Y",
		"kind": "'patient.died'", "actor": "EVN-5.1", "description": "PID-30 says that the patient died"},
	{"name": "patient.registered", "message": ["ADT^A28"], "kind": "'patient.registered'", "actor": "EVN-5.1", "description": "A28 a new person"},
	{"name": "patient.updated", "message": ["ADT^A08", "ADT^A31"], "kind": "'patient.updated'", "actor": "EVN-5.1",
		"description": "A08, A31 personal data changed"},
	{"name": "cancel admit", "action": "retract_last", "message": ["ADT^A11"], "kind": "'encounter.admitted', 'encounter.registered'",
		"description": "A11 calls off the last A01 or A04 of the visit"},
	{"name": "cancel transfer", "action": "retract_last", "message": ["ADT^A12"], "kind": "'encounter.transferred'",
		"description": "A12 calls off the last A02 of the visit"},
	{"name": "cancel discharge", "action": "retract_last", "message": ["ADT^A13"], "kind": "'encounter.discharged'",
		"description": "A13 calls off the last A03 of the visit"},
	{"name": "cancel pre-admit", "action": "retract_last", "message": ["ADT^A38"], "kind": "'encounter.preadmitted'",
		"description": "A38 calls off the last A05 of the visit"},

	{"name": "patient.merged", "message": ["ADT^A18", "ADT^A34", "ADT^A36", "ADT^A40"], "segment": "MRG", "kind": "'patient.merged'",
		"subject": "id MRG-1", "encounter_id": "''", "actor": "EVN-5.1", "description": "MRG-1 and PID-3 are one patient; the subject is the losing id"},
	{"name": "patient.merged without MRG", "message": ["ADT^A18", "ADT^A34", "ADT^A36", "ADT^A40"], "condition": "MRG is not present", "kind": "'patient.merged'",
		"subject": "id MRG-1", "encounter_id": "''", "description": "names nobody who is merged, so that the message is incomplete"},
	{"name": "patient linked", "message": ["ADT^A24"], "kind": "'patient.merged'",
		"patient_id": "id PID[1]-3", "subject": "id PID[2]-3", "encounter_id": "''", "actor": "EVN-5.1", "detail": "linked_by: 'A24'",
		"description": "A24 the ids of both segments PID are one patient"},
	{"name": "patient unlinked", "action": "retract_all", "message": ["ADT^A37"], "kind": "'patient.merged'",
		"patient_id": "id PID[1]-3", "subject": "id PID[2]-3", "detail": "linked_by: 'A24'",
		"description": "A37 parts what A24 linked, and nothing else"},
	{"name": "patient unlinked, other way", "action": "retract_all", "message": ["ADT^A37"], "kind": "'patient.merged'",
		"patient_id": "id PID[2]-3", "subject": "id PID[1]-3", "detail": "linked_by: 'A24'",
		"description": "the same where A24 named them in the other order"},
	{"name": "encounter.merged", "message": ["ADT^A42", "ADT^A50"], "segment": "MRG", "contains": ["PV1"], "kind": "'encounter.merged'",
		"subject": "MRG-5.1", "actor": "EVN-5.1", "description": "A42, A50 the visits of MRG-5 and PV1-19 are one; the subject is the old number"},
	{"name": "encounter.merged without MRG", "message": ["ADT^A42", "ADT^A50"], "condition": "MRG is not present", "kind": "'encounter.merged'",
		"subject": "MRG-5.1", "description": "names no visit that is merged, so that the message is incomplete"},
	{"name": "identity change", "message": ["ADT^A43", "ADT^A44", "ADT^A45", "ADT^A46", "ADT^A47", "ADT^A48", "ADT^A49", "ADT^A51"], "segment": "MRG", "contains": ["PV1"],
		"kind": "'patient.updated'", "subject": "MRG-5.1, MRG-1.1", "actor": "EVN-5.1", "problem": "'identity_change'",
		"description": "numbers moved or changed: nothing is joined by itself, somebody has to look"},

	{"name": "appointment", "message": ["SIU^S12", "SIU^S13", "SIU^S14", "SIU^S15", "SIU^S17", "SIU^S26"],
		"kind": "MSH-9.2 {S12 = appointment.booked, S13 = appointment.rescheduled, S14 = appointment.modified, S15|S17 = appointment.cancelled, S26 = appointment.no_show}",
		"occurred_at": "MSH-7", "subject": "SCH-1.1, SCH-2.1", "planned_at": "SCH-11.4, TQ1-7", "actor": "SCH-20.1",
		"description": "SIU by its trigger"},

	{"name": "order", "message": ["ORM^*", "OMG^*", "OML^*"], "segment": "OBR",
		"kind": "ORC-1 {NW|RO = order.placed, OK = order.accepted, XO = order.modified, RP = order.replaced, CA|OC|DC = order.cancelled}",
		"occurred_at": "ORC-9, MSH-7", "planned_at": "ORC-15, TQ1-7", "subject": "OBR-2.1, ORC-2.1, OBR-3.1, ORC-3.1", "code": "code OBR-4",
		"actor": "ORC-12.1, OBR-16.1", "description": "each OBR, by ORC-1 of the nearest ORC before it"},
	{"name": "order called off", "message": ["ORM^*", "OMG^*", "OML^*"], "segment": "ORC",
		"contains": ["OBR", "RXO", "RXE", "ODS", "ODT", "RQD", "RQ1", "BPO"],
		"condition": "OBR is not present and RXO is not present and RXE is not present and ODS is not present and ODT is not present and RQD is not present and RQ1 is not present and BPO is not present",
		"kind": "ORC-1 {CA|OC|DC = order.cancelled}", "occurred_at": "ORC-9, MSH-7", "subject": "ORC-2.1, ORC-3.1", "actor": "ORC-12.1",
		"description": "an ORC alone may call an order off"},

	{"name": "result", "message": ["ORU^*", "OUL^*"], "segment": "OBR", "begins_with": "ORC", "contains": ["ORC", "OBX", "TQ1", "SPM"],
		"condition": "OBR-25 <> I|O|S|Y|Z and OBX-11 <> W",
		"kind": "OBR-25 {F = result.final, P|A|R = result.preliminary, C = result.corrected, X = result.cancelled}, any OBX-11 {C = result.corrected}, any OBX-11 {P|R|S = result.preliminary}, all OBX-11 {F|U = result.final}, all OBX-11 {X = result.cancelled}, any OBX-11 {F|U = result.final}, 'result.preliminary'",
		"problem": "OBR-25 {F|P|A|R|C|X = '', * = unknown_status}, any OBX-11 {C|P|R|S|F|U|X = ''}, 'unknown_status'",
		"occurred_at": "OBR-22, MSH-7", "subject": "OBR-2.1, ORC-2.1, OBR-3.1, ORC-3.1", "item": "OBR-3.1", "code": "code OBR-4",
		"value": "OBX-5 where OBX-2 <> ED|RP", "severity": "any OBX-8.1 {HH|LL|AA = critical, H|L|A|'<'|'>'|* = abnormal, N = normal}",
		"actor": "OBX-16.1, OBR-32.1.1", "recipient": "OBR-16.1, ORC-12.1",
		"description": "each OBR, by OBR-25, else by its OBX-11; of an unknown status it is preliminary"},
	{"name": "result, accepted", "message": ["ORU^*", "OUL^*"], "segment": "OBR", "begins_with": "ORC", "contains": ["ORC", "OBX", "TQ1", "SPM"],
		"condition": "OBR-25 = O", "kind": "'order.accepted'", "occurred_at": "OBR-22, MSH-7",
		"subject": "OBR-2.1, ORC-2.1, OBR-3.1, ORC-3.1", "item": "OBR-3.1", "code": "code OBR-4", "description": "OBR-25 O: the order was received, nothing is done yet"},
	{"name": "result, specimen", "message": ["ORU^*", "OUL^*"], "segment": "OBR", "begins_with": "ORC", "contains": ["ORC", "OBX", "TQ1", "SPM"],
		"condition": "OBR-25 = I", "kind": "'specimen.received'", "occurred_at": "OBR-14, OBR-22, MSH-7",
		"subject": "OBR-2.1, ORC-2.1, OBR-3.1, ORC-3.1", "item": "OBR-3.1", "code": "code OBR-4", "description": "OBR-25 I: the specimen was received"},
	{"name": "result of the wrong patient", "action": "retract_all", "message": ["ORU^*", "OUL^*"], "segment": "OBR", "begins_with": "ORC", "contains": ["ORC", "OBX", "TQ1", "SPM"],
		"condition": "OBX-11 = W", "kind": "'result.preliminary', 'result.final', 'result.corrected'", "occurred_at": "OBR-22, MSH-7",
		"subject": "OBR-2.1, ORC-2.1, OBR-3.1, ORC-3.1", "item": "OBR-3.1", "problem": "'wrong_patient'",
		"description": "OBX-11 W: the result was posted for the wrong patient, and is called off"},
	{"name": "result of the wrong patient, alert", "message": ["ORU^*", "OUL^*"], "segment": "OBR", "begins_with": "ORC", "contains": ["ORC", "OBX", "TQ1", "SPM"],
		"condition": "OBX-11 = W", "kind": "'alert.fired'", "occurred_at": "OBR-22, MSH-7", "subject": "OBR-2.1, ORC-2.1, OBR-3.1, ORC-3.1",
		"item": "OBR-3.1", "code": "code OBR-4", "value": "'result of the wrong patient'", "recipient": "OBR-16.1, ORC-12.1",
		"description": "and whoever ordered it is to hear of that"},

	{"name": "note.signed", "message": ["MDM^*"], "segment": "TXA", "condition": "TXA-17 = AU|LA", "kind": "'note.signed'",
		"occurred_at": "TXA-4, EVN-6, EVN-2, MSH-7", "subject": "TXA-12.1", "actor": "TXA-22.1, TXA-9.1",
		"description": "a document that is authenticated or legally authenticated"},

	{"name": "charge.captured", "message": ["DFT^P03", "DFT^P11"], "segment": "FT1", "contains": ["PR1"], "condition": "FT1-6 = CG", "kind": "'charge.captured'",
		"occurred_at": "FT1-5, EVN-2, MSH-7", "subject": "FT1-2.1", "code": "code FT1-25, code FT1-7", "actor": "FT1-20.1",
		"detail": "modifiers: each FT1-26.1; diagnoses: each code FT1-19; service_at: date FT1-4; authorization: IN1-14.1",
		"description": "each FT1 that is a charge; credits are none"},
	{"name": "diagnosis.documented", "message": ["BAR^P01", "BAR^P05", "BAR^P12", "DFT^P03", "DFT^P11"], "segment": "DG1", "kind": "'diagnosis.documented'",
		"occurred_at": "DG1-5, EVN-6, EVN-2, MSH-7", "code": "code DG1-3", "actor": "DG1-16.1", "description": "each DG1"},
	{"name": "procedure.documented", "message": ["BAR^P01", "BAR^P05", "BAR^P12", "DFT^P03", "DFT^P11"], "segment": "PR1", "kind": "'procedure.documented'",
		"occurred_at": "PR1-5, EVN-6, EVN-2, MSH-7", "code": "code PR1-3", "actor": "PR1-11.1, PR1-12.1", "description": "each PR1"},
	{"name": "account.opened", "message": ["BAR^P01"], "kind": "'account.opened'", "subject": "PID-18.1, PV1-19.1", "description": "P01 an account for billing"},

	{"name": "referral", "message": ["REF^I12", "REF^I13", "REF^I14"], "kind": "MSH-9.2 {I12 = referral.sent, I13 = referral.modified, I14 = referral.cancelled}",
		"occurred_at": "MSH-7", "subject": "RF1-6.1", "actor": "PRD-7.1 where PRD-1.1 = RP", "recipient": "PRD-7.1 where PRD-1.1 = RT", "description": "REF by its trigger"},
	{"name": "referral answered", "message": ["RRI^*"], "kind": "RF1-1 {A = referral.accepted, R = referral.rejected}",
		"occurred_at": "MSH-7", "subject": "RF1-6.1", "actor": "PRD-7.1 where PRD-1.1 = RT", "description": "RRI by the status in RF1-1"},

	{"name": "prescription.sent", "message": ["RDE^O11", "RDE^O25"], "segment": "RXE", "begins_with": "ORC", "contains": ["RXR", "RXC"], "condition": "ORC-1 <> CA|OC|DC|CR|OD",
		"kind": "'prescription.sent'", "occurred_at": "ORC-9, MSH-7", "subject": "ORC-2.1, ORC-3.1", "code": "code RXE-2", "actor": "ORC-12.1",
		"description": "each RXE of an order that is not called off"},
	{"name": "medication.dispensed", "message": ["RDS^O13"], "segment": "RXD", "begins_with": "ORC", "contains": ["RXR", "RXC"],
		"kind": "'medication.dispensed'", "occurred_at": "RXD-3, ORC-9, MSH-7", "subject": "ORC-2.1, ORC-3.1, RXD-7", "code": "code RXD-2", "actor": "RXD-10.1, ORC-10.1",
		"description": "each RXD"},
	{"name": "medication.administered", "message": ["RAS^O17"], "segment": "RXA", "begins_with": "ORC", "contains": ["RXR"], "condition": "RXA-20 <> RE|NA and RXA-21 <> D",
		"kind": "'medication.administered'", "occurred_at": "RXA-3, MSH-7", "subject": "ORC-2.1, ORC-3.1", "code": "code RXA-5", "actor": "RXA-10.1",
		"description": "each RXA that was given"},
	{"name": "immunization.administered", "message": ["VXU^V04"], "segment": "RXA", "begins_with": "ORC", "contains": ["RXR", "OBX"],
		"condition": "RXA-20 <> RE|NA and RXA-21 <> D and RXA-5.1 <> 998",
		"kind": "'immunization.administered'", "occurred_at": "RXA-3, MSH-7", "subject": "ORC-2.1, ORC-3.1", "code": "code RXA-5", "actor": "RXA-10.1",
		"description": "each RXA that was given; code 998 is none"}
	]$rules$::jsonb
$mapping$;
COMMENT ON FUNCTION workflow_track.shipped_hl7v2_mapping() IS 'the rules of hl7v2_mapping that come with this version, as an array';

CREATE FUNCTION workflow_track.setup_shipped_mapping() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
DECLARE
	rule workflow_track.hl7v2_mapping;
BEGIN
	DELETE FROM workflow_track.hl7v2_mapping m WHERE m.shipped AND NOT EXISTS (
		SELECT FROM jsonb_array_elements(workflow_track.shipped_hl7v2_mapping()) r WHERE r ->> 'name' = m.name);
	FOR rule IN SELECT (jsonb_populate_record(NULL::workflow_track.hl7v2_mapping,
			'{"action": "event"}'::jsonb || r || '{"shipped": true, "enabled": true}'::jsonb)).*
		FROM jsonb_array_elements(workflow_track.shipped_hl7v2_mapping()) r
	LOOP
		CONTINUE WHEN EXISTS (SELECT FROM workflow_track.hl7v2_mapping m
			WHERE m.shipped AND m.name = rule.name AND m IS NOT DISTINCT FROM rule);
		DELETE FROM workflow_track.hl7v2_mapping m WHERE m.shipped AND m.name = rule.name;
		INSERT INTO workflow_track.hl7v2_mapping SELECT rule.*;
	END LOOP;
END
$setup$;
COMMENT ON FUNCTION workflow_track.setup_shipped_mapping() IS
'part of setup(): brings the shipped rules up to date; those of the site stay as they are';
