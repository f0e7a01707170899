# A backend's memory does not grow with what it has recorded.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use WorkflowTrack;

plan skip_all => 'AddressSanitizer keeps what is freed' if $ENV{ASAN_OPTIONS};

plan skip_all => 'there is no /proc to read' unless -r '/proc/self/status';

my $copied = $ENV{WT_LONG} ? 1_000_000 : 100_000;

my $node = new_server('main', "max_wal_size = 4GB\nautovacuum = off\n");
my $dir = PostgreSQL::Test::Utils::tempdir;

$node->safe_psql('postgres', 'CREATE EXTENSION workflow_track; SELECT workflow_track.setup()');

# One load, and one of twice as much: memory follows the patients, a little, and the rows of a transaction hardly at all.
my $once = peak_of_copy('once', $copied);
my $twice = peak_of_copy('twice', 2 * $copied);
diag(sprintf 'COPY of %d events took at most %.1f MB, of %d %.1f MB', $copied, $once / 1024, 2 * $copied, $twice / 1024);
of_the_machine($twice - $once, 6 * 1024 * $copied / 100_000, 'a load of twice as much takes little more memory');

# One session that commits again and again, for the same patients, and that hears of changes of maps and staff.
my $session = $node->background_psql('postgres', on_error_stop => 1);
my $pid = $session->query_safe('SELECT pg_backend_pid()');
write_events("$dir/again", 'again', 5_000);
my (@resident, @contexts);
for my $commit (1 .. 20)
{
	$session->query_safe(copy_command("$dir/again"));
	$session->query_safe(q(SELECT workflow_track.record_event('order.placed', 'again7', 'EHR', now(), subject => 'x')));
	$session->query_safe(q(SELECT count(*) FROM workflow_track.care_loop; SELECT count(*) FROM workflow_track.handoff WHERE patient_id = 'again7'));
	$node->safe_psql('postgres', "INSERT INTO workflow_track.staff (actor, role) VALUES ('new$commit', 'nurse')");
	push @resident, resident($pid);
	push @contexts, $session->query_safe('SELECT (sum(total_bytes) / 1024)::int FROM pg_backend_memory_contexts');
}
$session->quit;
diag("after each commit, KB resident: @resident");
diag("after each commit, KB in contexts: @contexts");
cmp_ok($contexts[19] - $contexts[4], '<', 256, 'what a session keeps does not grow from commit to commit');
of_the_machine($resident[19] - $resident[4], 4 * 1024, 'nor does what it has of the machine');

many_events() if $ENV{WT_LONG};

done_testing();

# Ten million events in one session, of other patients with each commit.
sub many_events
{
	my $session = $node->background_psql('postgres', on_error_stop => 1);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my (@resident, @contexts);

	$session->set_query_timer_restart;
	for my $commit (1 .. 100)
	{
		write_events("$dir/many", "many$commit.", 100_000);
		$session->query_safe(copy_command("$dir/many"));
		push @resident, resident($pid);
		push @contexts, $session->query_safe('SELECT (sum(total_bytes) / 1024)::int FROM pg_backend_memory_contexts');
	}
	$session->quit;
	is($node->safe_psql('postgres', q(SELECT count(*) FROM workflow_track.event WHERE patient_id LIKE 'many%')), 10_000_000, 'ten million events');
	diag("of ten million events, after each 100,000, KB resident: @resident");
	diag("KB in contexts: @contexts");
	cmp_ok($contexts[99] - $contexts[9], '<', 256, 'what the session keeps does not grow in the last nine million');
	of_the_machine($resident[99] - $resident[9], 4 * 1024, 'nor does what it has of the machine');
	return;
}

# Passes if so many KB of a process's own memory are fewer than a limit.
sub of_the_machine
{
	my ($more, $limit, $name) = @_;

SKIP:
	{
		skip 'valgrind keeps what is freed', 1 if $ENV{VALGRIND};
		cmp_ok($more, '<', $limit, $name);
	}
	return;
}

# KB of a process's own memory.
sub resident
{
	my ($pid) = @_;

	return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : die 'no RssAnon';
}

# Writes events for COPY: 40 of a patient.
sub write_events
{
	my ($file, $name, $n) = @_;

	$node->safe_psql('postgres', qq(COPY (
		SELECT ('{order.placed,result.final,result.acknowledged,data.entered}'::text[])[1 + n % 4], now() - (n % 50000) * interval '1 minute',
			'$name' || n / 40, 'v' || n / 10, 's' || n / 4, 'r', 'normal', (n % 100)::text, ('{EHR,LIS}'::text[])[1 + n % 2], 'a' || n % 50, 'manual'
		FROM generate_series(1, $n) n) TO '$file'));
}

# The command that copies them.
sub copy_command
{
	my ($file) = @_;

	return "COPY workflow_track.event (kind, occurred_at, patient_id, encounter_id, subject, item, severity, value, source_system, actor, entry_method) FROM '$file'";
}

# The most memory that a session of its own takes for a COPY, in KB.
sub peak_of_copy
{
	my ($name, $n) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 1);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $peak = 0;

	write_events("$dir/$name", $name, $n);
	$session->query_until(qr/begun/, "\\echo begun\n" . copy_command("$dir/$name") . ";\n\\echo ended\n");
	do
	{
		my $now = resident($pid);

		$peak = $now if $now > $peak;
		usleep(10_000);
		$session->{run}->pump_nb;
	} until $session->{stdout} =~ /ended/;
	$session->quit;
	return $peak;
}
