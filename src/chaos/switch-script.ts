/**
 * The switch between the hosts of a run, in Perl: user space, so that it needs no module of the
 * kernel but TUN, and can cut, delay, lose, double and slow packets on every link by itself. Only
 * `perl-base`, which every Debian and Ubuntu has.
 *
 * Arguments: seed, then for each host the name of its device, host 0 being the machine itself. It
 * makes the devices, prints `ready`, and forwards packets of IPv4 by the last byte of their
 * destination: host N has N, host 0 has 254. On its standard input, a line each:
 *
 * - `clear`: every link passes everything at once;
 * - `link FROM TO CUT DELAY_MS JITTER_MS LOSS% DOUBLE% BYTES_PER_S`: this direction of this link;
 * - `sync`: answered by `ok FORWARDED DROPPED DOUBLED` when the lines before it hold.
 *
 * It ends with its input, and its devices with it.
 */
export const switchScript = String.raw`
use strict;
use warnings;
use POSIX ();
my ($seed, @names) = @ARGV;
srand($seed);
$| = 1;
my %clock = (x86_64 => 228, aarch64 => 113, riscv64 => 113, ppc64le => 246, s390x => 260);
my $clock = $clock{(POSIX::uname())[4]} or die "no clock is known for this machine\n";
sub now {
  my $time = "\0" x 16;
  syscall($clock, 1, $time);
  my ($s, $ns) = unpack('qq', $time);
  return $s + $ns / 1e9;
}
my (@device, %hostOf);
for my $host (0 .. $#names) {
  open(my $fh, '+<', '/dev/net/tun') or die "/dev/net/tun: $!\n";
  # TUNSETIFF with IFF_TUN | IFF_NO_PI
  ioctl($fh, 0x400454ca, pack('Z16 s x22', $names[$host], 0x1001)) or die "TUNSETIFF: $!\n";
  # F_SETFL with O_RDWR | O_NONBLOCK
  fcntl($fh, 4, 2 | 04000) or die "fcntl: $!\n";
  $device[$host] = $fh;
  $hostOf{$host == 0 ? 254 : $host} = $host;
}
my (@rule, @queue, @free);
my ($forwarded, $dropped, $doubled, $waiting) = (0, 0, 0, 0);
sub put { defined syswrite($device[$_[0]], $_[1]) ? $forwarded++ : $dropped++ }
sub forward {
  my ($from, $packet) = @_;
  return if length($packet) < 20 || (ord($packet) >> 4) != 4;
  my $to = $hostOf{ord(substr($packet, 19, 1))};
  return unless defined $to;
  my $rule = $rule[$from][$to];
  return put($to, $packet) unless $rule;
  my ($cut, $delay, $jitter, $loss, $double, $rate) = @$rule;
  if ($cut || ($loss && rand(100) < $loss)) { $dropped++; return }
  my $times = $double && rand(100) < $double ? 2 : 1;
  $doubled++ if $times == 2;
  my $now = now();
  my $due = $now + ($delay + rand($jitter)) / 1000;
  if ($rate) {
    my $free = $free[$from][$to] || 0;
    $free = $now if $free < $now;
    # A second's worth waits; what is beyond that is lost, as at a full router.
    if ($free - $now > 1) { $dropped++; return }
    $free[$from][$to] = $free + length($packet) / $rate;
    $due += $free[$from][$to] - $now;
  }
  my $queue = $queue[$from][$to] ||= [];
  $due = $queue->[-1][0] if @$queue && $queue->[-1][0] > $due;
  if ($due <= $now) { put($to, $packet) for 1 .. $times; return }
  if (@$queue > 20000) { $dropped++; return }
  for (1 .. $times) { push @$queue, [$due, $packet]; $waiting++ }
}
# Sends what is due; returns the time until the next one.
sub flush {
  return undef unless $waiting;
  my $now = now();
  my $next;
  for my $from (0 .. $#queue) {
    for my $to (0 .. $#{$queue[$from] || []}) {
      my $queue = $queue[$from][$to] or next;
      while (@$queue && $queue->[0][0] <= $now) { put($to, shift(@$queue)->[1]); $waiting-- }
      $next = $queue->[0][0] if @$queue && (!defined $next || $queue->[0][0] < $next);
    }
  }
  return undef unless defined $next;
  return $next > $now ? $next - $now : 0;
}
sub order {
  my ($word, $from, $to, @does) = split ' ', $_[0];
  if ($word eq 'clear') { @rule = () }
  elsif ($word eq 'link') { $rule[$from][$to] = [@does] }
  elsif ($word eq 'sync') { print "ok $forwarded $dropped $doubled\n" }
}
my $input = '';
print "ready\n";
while (1) {
  my $wait = flush();
  my $ready = '';
  vec($ready, 0, 1) = 1;
  vec($ready, fileno($_), 1) = 1 for @device;
  my $count = select($ready, undef, undef, $wait);
  next if $count <= 0;
  for my $host (0 .. $#device) {
    next unless vec($ready, fileno($device[$host]), 1);
    for (1 .. 64) {
      my $got = sysread($device[$host], my $packet, 65536);
      last unless $got;
      forward($host, $packet);
    }
  }
  next unless vec($ready, 0, 1);
  my $got = sysread(STDIN, $input, 65536, length $input);
  exit 0 unless $got;
  while ($input =~ s/^([^\n]*)\n//) { order($1) }
}
`;
