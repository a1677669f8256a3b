/**
 * The starter: a Perl program of the size of a shell that forks what it is told to. Perl, because
 * it is on every machine whose packages are Debian's and most others, tells a signal from an exit
 * code, and can call `setsid`; only what comes with `perl-base` is used.
 *
 * On its standard input, one request: length of the rest (4 bytes), id (4), number of control
 * groups (4), of arguments (4), deadline (double, ms of CLOCK_BOOTTIME), then strings, each a
 * length (4) and its bytes: working directory, path of stdout, of stderr, of the program, the
 * control groups, the arguments, and names and values of the environment in turn. All numbers are
 * big-endian.
 *
 * On its standard output, 13 bytes each: kind (1), id (4), two numbers (4 each).
 *   1 started: pid, 0
 *   2 failed: errno, stage; from stage `exec` down to `group` an `ended` follows
 *   3 ended: status as of `wait`, 0
 *
 * It ends with its input, without starting what it has read; with the argument `drain` only when
 * all has been started and has ended.
 */
import { oomScore } from './starter.ts';

export const answerBytes = 13;
export const answers = { started: 1, failed: 2, ended: 3 } as const;
/** What could not be done. Before `group`, there never was a process. */
export const stages = { late: 1, fork: 2, group: 3, directory: 4, output: 5, exec: 6 } as const;

/**
 * No wake-up is lost: all signals are blocked but in `sigsuspend`, which the arrival of a request
 * (SIGIO) and the end of a child both end. SIGTERM and the like stay blocked for good: they are for
 * the node. A child has them unblocked right before it executes its program.
 *
 * A child moves itself into its control group. To make it there (`clone3`, CLONE_INTO_CGROUP) would
 * leave no moment outside, but Linux 6.18 kills what is made in a group that was ever killed by
 * `cgroup.kill`: it compares the count of kills with that of the parent's group.
 */
export const starterScript = `
use POSIX ();
use Fcntl ();
my $drain = @ARGV;
$0 = 'tsched-starter';
open(my $requests, '<&', 0) or die "requests: $!";
open(my $answers, '>&', 1) or die "answers: $!";
POSIX::close(0);
POSIX::close(1);
POSIX::open('/dev/null', POSIX::O_RDONLY()) == 0 or die "/dev/null: $!";
POSIX::open('/dev/null', POSIX::O_WRONLY()) == 1 or die "/dev/null: $!";
sysopen(my $uptime, '/proc/uptime', POSIX::O_RDONLY()) or die "/proc/uptime: $!";
my $append = POSIX::O_WRONLY() | POSIX::O_APPEND() | POSIX::O_CREAT() | Fcntl::O_NOFOLLOW();

my $none = POSIX::SigSet->new;
my $all = POSIX::SigSet->new;
$all->fillset;
my $waiting = POSIX::SigSet->new;
$waiting->fillset;
$waiting->delset(POSIX::SIGCHLD());
$waiting->delset(POSIX::SIGPOLL());
POSIX::sigprocmask(POSIX::SIG_SETMASK(), $all) or die "sigprocmask: $!";
$SIG{CHLD} = $SIG{IO} = sub { };
fcntl($requests, Fcntl::F_SETOWN(), 0 + $$) or die "F_SETOWN: $!";
my $flags = POSIX::O_NONBLOCK() | Fcntl::O_ASYNC();
fcntl($requests, Fcntl::F_SETFL(), $flags) or die "F_SETFL: $!";

my ($in, $out, %ids) = ('', '');

# Whole answers only: a child that fails writes to the same socket.
sub flush {
  while ($out ne '') {
    my $piece = substr $out, 0, 13 * 256, '';
    (syswrite($answers, $piece) || 0) == length $piece or POSIX::_exit(1);
  }
}

sub failed {
  my ($id, $stage) = @_;
  syswrite $answers, pack 'CNNN', 2, $id, $! + 0, $stage;
  POSIX::_exit(127);
}

sub become {
  my ($id, $groups, $argc, $cwd, $stdout, $stderr, $file, @rest) = @_;
  POSIX::setsid();
  for my $group (splice @rest, 0, $groups) {
    sysopen(my $procs, "$group/cgroup.procs", POSIX::O_WRONLY()) or failed($id, 3);
    syswrite($procs, '0') or failed($id, 3);
  }
  # A wish: it may be refused where the starter was given a score already.
  if (sysopen(my $score, '/proc/self/oom_score_adj', POSIX::O_WRONLY())) {
    syswrite($score, '${oomScore}');
  }
  chdir $cwd or failed($id, 4);
  POSIX::close(1);
  defined POSIX::open($stdout, $append, 0600) or failed($id, 5);
  POSIX::close(2);
  defined POSIX::open($stderr, $append, 0600) or failed($id, 5);
  my @argv = splice @rest, 0, $argc;
  %ENV = @rest;
  POSIX::sigprocmask(POSIX::SIG_SETMASK(), $none);
  exec { $file } @argv;
  failed($id, 6);
}

sub start {
  my ($id, $groups, $argc, $deadline, @rest) = unpack 'NNNd>(N/a*)*', $_[0];
  sysseek $uptime, 0, 0;
  sysread $uptime, my $now, 64 or POSIX::_exit(1);
  $now =~ s/ .*//s;
  return $out .= pack 'CNNN', 2, $id, 0, 1 if $now * 1000 >= $deadline;
  my $pid = fork;
  return $out .= pack 'CNNN', 2, $id, $! + 0, 2 unless defined $pid;
  become($id, $groups, $argc, @rest) if $pid == 0;
  $ids{$pid} = $id;
  $out .= pack 'CNNN', 1, $id, $pid, 0;
}

sub reap {
  while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
    my $id = delete $ids{$pid};
    $out .= pack 'CNNN', 3, $id, $?, 0 if defined $id;
  }
}

while (1) {
  my $read;
  do { $read = sysread $requests, $in, 65536, length $in } while $read;
  POSIX::_exit(1) unless defined $read || $! == POSIX::EAGAIN();
  my $over = defined $read;
  POSIX::_exit(0) if $over && !$drain;
  # One at a time: the end of the input is seen before another is started.
  my $end = length $in < 4 ? 4 : 4 + unpack 'N', $in;
  my $started = $end > 4 && length $in >= $end;
  if ($started) {
    start(substr $in, 4, $end - 4);
    substr $in, 0, $end, '';
    # What was asked with much must not stay large: that is what forking costs by.
    undef $in, $in = '' if $in eq '';
  }
  reap();
  flush();
  next if $started;
  POSIX::_exit(0) if $over && !%ids;
  POSIX::sigsuspend($waiting);
}
`;
