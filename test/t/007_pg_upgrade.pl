# pg_upgrade carries everything over: events, what was found, maps, numbers that go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkflowTrack;

my $old = new_server('old');
hospital($old, 'hospital');
my ($tables, $reports) = (tables($old, 'hospital'), reports($old, 'hospital'));
my $events = $old->safe_psql('hospital', 'SELECT max(event_id) FROM workflow_track.event');
$old->stop;

my $new = new_server('new');
$new->stop;
chdir $PostgreSQL::Test::Utils::tmp_check or die;    # where it leaves a script
command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $new->config_data('--bindir'),
		'-B', $new->config_data('--bindir'), '-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade');
$new->start;

same(tables($new, 'hospital'), $tables, 'tables are equal');
same(reports($new, 'hospital'), $reports, 'reports are equal');
is($new->safe_psql('hospital', 'SELECT count(*) FROM workflow_track.check_consistency() WHERE NOT is_stale'), 0, 'what is kept is what the definitions say');
$new->safe_psql('hospital', 'SELECT workflow_track.setup(); CALL workflow_track.catch_up()');
is($new->safe_psql('hospital', q(SELECT workflow_track.record_event('order.placed', 'p1', 'EHR', now() - interval '9 hours', subject => 'new'))),
	$events + 1, 'numbers of events go on');
is($new->safe_psql('hospital', q(SELECT status FROM workflow_track.care_loop WHERE subject = 'new')), 'overdue', 'a new event is found once');
is($new->safe_psql('hospital', 'SELECT count(*) FROM workflow_track.check_consistency()'), 0, 'and so it is with what is new');
my $kept = kept($new, 'hospital');
$new->safe_psql('hospital', 'CALL workflow_track.rebuild()');
same(kept($new, 'hospital'), $kept, 'rebuild() changes nothing');

done_testing();
