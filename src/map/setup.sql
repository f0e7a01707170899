CREATE FUNCTION workflow_track.setup_map() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $setup$
BEGIN
END
$setup$;
