CREATE TYPE workflow_track.severity AS ENUM ('normal', 'abnormal', 'critical');
COMMENT ON TYPE workflow_track.severity IS 'how far a result is from what is expected, mildest first';

CREATE TYPE workflow_track.entry_method AS ENUM ('interface', 'manual');
COMMENT ON TYPE workflow_track.entry_method IS 'whether a system sent an event or a person typed it';

CREATE TYPE workflow_track.time_precision AS ENUM ('second', 'minute', 'hour', 'day', 'month', 'year');
COMMENT ON TYPE workflow_track.time_precision IS 'how exactly a time was known, finest first';
