CREATE FUNCTION workflow_track.event_recorded() RETURNS trigger
-- Not the name that the library of 0.1.0 has: sessions that loaded it before an update are refused, as they mark no days.
LANGUAGE c AS 'MODULE_PATHNAME', 'event_was_recorded';
COMMENT ON FUNCTION workflow_track.event_recorded() IS
'trigger of event: checks what was recorded and notes its patient for detection at the end of the transaction';

CREATE FUNCTION workflow_track.event_unchangeable() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION USING
		ERRCODE = 'feature_not_supported',
		MESSAGE = pg_catalog.format('cannot %s events', lower(TG_OP)),
		DETAIL = 'Table workflow_track.event is append-only.',
		HINT = CASE TG_OP
			WHEN 'TRUNCATE' THEN 'Use workflow_track.drop_before() to drop old months.'
			ELSE 'Use workflow_track.retract_event() for an event that was entered in error, and record what is right as a new one.'
		END;
END
$$;
COMMENT ON FUNCTION workflow_track.event_unchangeable() IS
'trigger of event and its partitions: refuses UPDATE, DELETE and TRUNCATE';

CREATE FUNCTION workflow_track.record_event(
	kind text,
	patient_id text,
	source_system text,
	occurred_at timestamptz DEFAULT now(),
	source_sequence integer DEFAULT 0,
	time_precision workflow_track.time_precision DEFAULT 'second',
	planned_at timestamptz DEFAULT NULL,
	facility text DEFAULT '',
	encounter_id text DEFAULT NULL,
	subject text DEFAULT NULL,
	item text DEFAULT NULL,
	code workflow_track.clinical_code DEFAULT NULL,
	value text DEFAULT NULL,
	severity workflow_track.severity DEFAULT NULL,
	actor text DEFAULT NULL,
	actor_role text DEFAULT NULL,
	recipient text DEFAULT NULL,
	recipient_role text DEFAULT NULL,
	entry_method workflow_track.entry_method DEFAULT NULL,
	message_id bigint DEFAULT NULL,
	detail jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	new_id bigint;
BEGIN
	IF record_event.occurred_at >= workflow_track.recordable_until() THEN
		PERFORM workflow_track.make_recordable(record_event.occurred_at);
	END IF;
	INSERT INTO workflow_track.event (
		occurred_at, source_sequence, time_precision, planned_at, facility, patient_id,
		encounter_id, subject, item, kind, code, value, severity, actor, actor_role,
		recipient, recipient_role, source_system, entry_method, message_id, detail)
	VALUES (
		record_event.occurred_at, record_event.source_sequence, record_event.time_precision,
		record_event.planned_at, btrim(record_event.facility), btrim(record_event.patient_id),
		btrim(record_event.encounter_id), btrim(record_event.subject), btrim(record_event.item),
		btrim(record_event.kind), record_event.code, record_event.value, record_event.severity,
		btrim(record_event.actor), btrim(record_event.actor_role), btrim(record_event.recipient),
		btrim(record_event.recipient_role), btrim(record_event.source_system),
		record_event.entry_method, record_event.message_id, record_event.detail)
	RETURNING event_id INTO new_id;
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION workflow_track.record_event(text, text, text, timestamptz, integer,
	workflow_track.time_precision, timestamptz, text, text, text, text, workflow_track.clinical_code,
	text, workflow_track.severity, text, text, text, text, workflow_track.entry_method, bigint, jsonb) IS
'records one event and returns its event_id; arguments are columns of event, to be given by name; outer blanks of identifiers are removed';

CREATE FUNCTION workflow_track.retract_event(event_id bigint, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	IF btrim(retract_event.reason) IS NULL OR btrim(retract_event.reason) = '' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'a retraction needs a reason';
	END IF;
	-- Whoever reads its message anew waits, or is waited for; tables of 0.1.0 have no messages, until setup().
	IF to_regclass('workflow_track.message') IS NOT NULL THEN
		PERFORM FROM workflow_track.event e JOIN workflow_track.message m USING (message_id)
		WHERE e.event_id = retract_event.event_id FOR UPDATE OF m;
	END IF;
	IF NOT EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = retract_event.event_id) THEN
		INSERT INTO workflow_track.retraction (patient_id, event_id, occurred_at, retracted_reason, retracted_by)
		SELECT e.patient_id, e.event_id, e.occurred_at, retract_event.reason, session_user
		FROM workflow_track.event e WHERE e.event_id = retract_event.event_id ON CONFLICT DO NOTHING;
		IF FOUND THEN
			RETURN;
		END IF;
		-- Merges outlive the months of their events.
		INSERT INTO workflow_track.retraction (patient_id, event_id, occurred_at, retracted_reason, retracted_by)
		SELECT m.patient_id, m.event_id, coalesce(m.occurred_at, '-infinity'), retract_event.reason, session_user
		FROM (SELECT p.patient_id, p.event_id, p.occurred_at FROM workflow_track.patient_merge p
			UNION ALL SELECT v.patient_id, v.event_id, v.occurred_at FROM workflow_track.encounter_merge v) m
		WHERE m.event_id = retract_event.event_id ON CONFLICT DO NOTHING;
		IF FOUND THEN
			RETURN;
		END IF;
	END IF;
	-- By somebody else meanwhile, perhaps.
	IF EXISTS (SELECT FROM workflow_track.retraction r WHERE r.event_id = retract_event.event_id) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = pg_catalog.format('event %s is already retracted', retract_event.event_id);
	END IF;
	RAISE EXCEPTION USING
		ERRCODE = 'no_data_found',
		MESSAGE = pg_catalog.format('event %s does not exist', retract_event.event_id);
END
$$;
COMMENT ON FUNCTION workflow_track.retract_event(bigint, text) IS
'marks an event as entered in error: every report is then as if it had never been recorded';

-- Partitions: a month each, in UTC, and one for all before the first month.

CREATE FUNCTION workflow_track.months()
RETURNS TABLE (partition_name name, lower_bound timestamptz, upper_bound timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
	SELECT c.relname,
		substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''([^'']*)''\)')::timestamptz,
		substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']*)''\)')::timestamptz
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = to_regclass('workflow_track.event')
	ORDER BY 3;
$$;
COMMENT ON FUNCTION workflow_track.months() IS
'the partitions of event in order of time; the first has no lower bound';

CREATE FUNCTION workflow_track.recordable_until() RETURNS timestamptz
LANGUAGE c STABLE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION workflow_track.recordable_until() IS
'where the last month of event ends: no later event can be recorded';

CREATE FUNCTION workflow_track.month_name(month timestamptz) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
	SELECT ('event_' || to_char(month, 'YYYY_MM'))::name
$$;
COMMENT ON FUNCTION workflow_track.month_name(timestamptz) IS
'the name of the partition of event for the month, in UTC, of an instant';

-- The check lets ATTACH do without reading the table, and without a lock that stops readers.
CREATE FUNCTION workflow_track.create_month(month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	lower_bound timestamptz := date_trunc('month', month);
BEGIN
	EXECUTE format('CREATE TABLE workflow_track.%I (LIKE workflow_track.event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS, '
		'CONSTRAINT month CHECK (occurred_at >= %L AND occurred_at < %L))',
		workflow_track.month_name(month), lower_bound, lower_bound + interval '1 month');
	EXECUTE format('COMMENT ON TABLE workflow_track.%I IS %L',
		workflow_track.month_name(month), 'events of ' || to_char(lower_bound, 'YYYY-MM') || ' UTC');
END
$$;
COMMENT ON FUNCTION workflow_track.create_month(timestamptz) IS
'first part of make_month(): a table that attach_month() can make a partition of event';

CREATE FUNCTION workflow_track.attach_month(month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	lower_bound timestamptz := date_trunc('month', month);
	new_name name := workflow_track.month_name(month);
BEGIN
	EXECUTE format('ALTER TABLE workflow_track.event ATTACH PARTITION workflow_track.%I FOR VALUES FROM (%L) TO (%L)',
		new_name, lower_bound, lower_bound + interval '1 month');
	EXECUTE format('ALTER TABLE workflow_track.%I DROP CONSTRAINT month', new_name);
	PERFORM workflow_track.guard_partition(new_name);
END
$$;
COMMENT ON FUNCTION workflow_track.attach_month(timestamptz) IS
'second part of make_month(): makes the table of a month a partition of event, with what is in it';

CREATE FUNCTION workflow_track.make_month(month timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF EXISTS (SELECT FROM workflow_track.months() m WHERE m.partition_name = workflow_track.month_name(month)) THEN
		RETURN;
	END IF;
	PERFORM workflow_track.create_month(month);
	PERFORM workflow_track.attach_month(month);
END
$$;
COMMENT ON FUNCTION workflow_track.make_month(timestamptz) IS
'makes the partition of event for the month, in UTC, of an instant; it must not overlap another';

CREATE FUNCTION workflow_track.guard_partition(partition_name name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	EXECUTE format('CREATE TRIGGER event_unchangeable BEFORE UPDATE OR DELETE OR TRUNCATE ON workflow_track.%I '
		'EXECUTE FUNCTION workflow_track.event_unchangeable()', partition_name);
END
$$;
COMMENT ON FUNCTION workflow_track.guard_partition(name) IS
'makes a partition of event append-only for those who reach it by its own name';

CREATE FUNCTION workflow_track.require_read_committed() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('months of events cannot be made from others, or dropped, at isolation level "%s"', current_setting('transaction_isolation')),
			HINT = 'Do it at READ COMMITTED, which sees what others have recorded until it begins.';
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.require_read_committed() IS
'an error where what others committed since the transaction began is not seen';

CREATE FUNCTION workflow_track.split_first_partition(month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	old_bound timestamptz;
	new_bound timestamptz := date_trunc('month', month);
BEGIN
	PERFORM workflow_track.require_read_committed();
	LOCK TABLE workflow_track.event IN ACCESS EXCLUSIVE MODE;
	old_bound := (SELECT min(m.upper_bound) FROM workflow_track.months() m);
	-- Whoever held the lock may have made them.
	IF new_bound >= old_bound THEN
		RETURN;
	END IF;
	ALTER TABLE workflow_track.event DETACH PARTITION workflow_track.event_before;
	ALTER TABLE workflow_track.event_before DISABLE TRIGGER USER;
	FOR month IN SELECT generate_series(new_bound, old_bound - interval '1 month', interval '1 month') LOOP
		-- Rows go in before the table is a partition, whose triggers would take them for new ones.
		PERFORM workflow_track.create_month(month);
		EXECUTE format('WITH moved AS (DELETE FROM workflow_track.event_before WHERE occurred_at >= %L AND occurred_at < %L RETURNING *) '
			'INSERT INTO workflow_track.%I SELECT * FROM moved',
			month, month + interval '1 month', workflow_track.month_name(month));
		-- Who folds under an older snapshot does not see these rows, nor these marks.
		IF to_regclass('workflow_track.diary_mark') IS NOT NULL THEN
			EXECUTE format('INSERT INTO workflow_track.diary_mark SELECT DISTINCT occurred_at::date FROM workflow_track.%I', workflow_track.month_name(month));
		END IF;
		PERFORM workflow_track.attach_month(month);
	END LOOP;
	ALTER TABLE workflow_track.event_before ENABLE TRIGGER USER;
	EXECUTE format('ALTER TABLE workflow_track.event ATTACH PARTITION workflow_track.event_before FOR VALUES FROM (MINVALUE) TO (%L)', new_bound);
END
$$;
COMMENT ON FUNCTION workflow_track.split_first_partition(timestamptz) IS
'makes months of what the partition before the first month holds, from a month on';

CREATE FUNCTION workflow_track.drop_months(until timestamptz, carried bigint[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	first_bound timestamptz := (SELECT min(m.upper_bound) FROM workflow_track.months() m);
	month record;
BEGIN
	ALTER TABLE workflow_track.event_before DISABLE TRIGGER event_unchangeable;
	DELETE FROM workflow_track.event_before AS e WHERE e.occurred_at < until AND NOT EXISTS (SELECT FROM unnest(carried) AS c(event_id) WHERE c.event_id = e.event_id);
	ALTER TABLE workflow_track.event_before ENABLE TRIGGER event_unchangeable;
	IF until <= first_bound THEN
		RETURN;
	END IF;
	-- The first partition takes the place of the months, so that there is no gap, and what is carried, as no new events.
	ALTER TABLE workflow_track.event DETACH PARTITION workflow_track.event_before;
	ALTER TABLE workflow_track.event_before DISABLE TRIGGER USER;
	FOR month IN SELECT * FROM workflow_track.months() m WHERE m.upper_bound <= until LOOP
		EXECUTE format('INSERT INTO workflow_track.event_before SELECT e.* FROM workflow_track.%I AS e JOIN unnest($1) AS c(event_id) USING (event_id)', month.partition_name) USING carried;
		EXECUTE format('DROP TABLE workflow_track.%I', month.partition_name);
	END LOOP;
	ALTER TABLE workflow_track.event_before ENABLE TRIGGER USER;
	EXECUTE format('ALTER TABLE workflow_track.event ATTACH PARTITION workflow_track.event_before FOR VALUES FROM (MINVALUE) TO (%L)', until);
END
$$;
COMMENT ON FUNCTION workflow_track.drop_months(timestamptz, bigint[]) IS
'drops the months of event until the start of one, and what is in the partition before the first month, but for some events, which go there';

CREATE FUNCTION workflow_track.ensure_partitions("from" timestamptz, until timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	first_bound timestamptz;
	last_bound timestamptz;
BEGIN
	IF "from" IS NULL OR until IS NULL OR until < "from" OR NOT isfinite("from") OR NOT isfinite(until) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'months to be made need a first and a last moment, in order';
	END IF;
	IF until - "from" > interval '1800 months' OR until > now() + interval '50 years' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'too many months to be made',
			HINT = 'Events from 1900 until 2 days from now can be recorded.';
	END IF;
	IF until >= workflow_track.recordable_until() THEN
		-- Two sessions that lack a month at once wait for each other.
		LOCK TABLE workflow_track.patient_merge IN SHARE ROW EXCLUSIVE MODE;
		FOR last_bound IN SELECT generate_series(workflow_track.recordable_until(), until, interval '1 month') LOOP
			PERFORM workflow_track.make_month(last_bound);
		END LOOP;
	END IF;
	first_bound := (SELECT min(m.upper_bound) FROM workflow_track.months() m);
	IF date_trunc('month', "from") < first_bound THEN
		PERFORM workflow_track.split_first_partition("from");
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.ensure_partitions(timestamptz, timestamptz) IS
'makes the months of event from one moment until another, for a backfill; months before the first stop readers and writers for a moment, later ones do not';

CREATE FUNCTION workflow_track.make_recordable(occurred_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- Later times have no month; the error is that of times which have one.
	IF occurred_at > now() + interval '2 days' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'datetime_field_overflow',
			MESSAGE = 'occurred_at of an event is out of range',
			DETAIL = 'It is before 1900 or more than 2 days from now.',
			HINT = 'occurred_at is when the event happened; what is meant to happen later goes into planned_at.';
	END IF;
	IF occurred_at < workflow_track.recordable_until() THEN
		RETURN;
	END IF;
	LOCK TABLE workflow_track.patient_merge IN SHARE ROW EXCLUSIVE MODE;
	-- Whoever held the lock may have made it.
	IF occurred_at >= workflow_track.recordable_until() THEN
		PERFORM workflow_track.ensure_partitions(workflow_track.recordable_until(), occurred_at);
	END IF;
END
$$;
COMMENT ON FUNCTION workflow_track.make_recordable(timestamptz) IS
'makes the month of an event that is about to be recorded, where maintain() has not run for long';
