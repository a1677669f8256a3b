/**
 * What runs inside of a guest beside the nodes: its first process and a small agent, in shell. The
 * agent reads orders from the second serial port, one a line, and answers there:
 *
 *   start N [TOKEN]  starts node N; its output comes as `node N LINE`, its end as
 *                    `node N exit CODE`
 *   mark K           writes two files, one synced and one not: `marked`
 *   marks K          how many lines of each are there: `marks SYNCED UNSYNCED`
 *   log              what attempts wrote: `log LINE` each, then `logged LINES`
 *   tail N           the last lines of a node's log: `tail LINE` each, then `tailed`
 *   off              ends everything, unmounts and switches off
 */

/** Where things are in a guest. */
export const guestPaths = {
  init: '/init',
  agent: '/chaos/agent.sh',
  node: '/chaos/node.sh',
  task: '/chaos/task.sh',
  busybox: '/chaos/busybox',
  applets: '/chaos/bin',
  modules: '/chaos/modules',
  data: '/data',
  truth: '/truth',
  log: '/truth/attempts.log',
} as const;

export const guestAddress = '10.0.2.15';

/** Written by `mark`, counted by `marks`. */
export const markLines = 8_192;

const path = `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${guestPaths.applets}`;

const bootLines = [
  `#!${guestPaths.busybox} sh`,
  `export PATH=${path}`,
  'mount -t proc proc /proc',
  'mount -t sysfs sysfs /sys',
  'mount -t devtmpfs dev /dev',
  `for module in ${guestPaths.modules}/*; do insmod "$module"; done`,
];

/** For the probe: whether a guest boots at all. */
export const probeScript = [...bootLines, 'echo up >/dev/ttyS1', 'poweroff -f', ''].join('\n');

/**
 * The disks are mounted anew at each boot, which replays their journals. That of the truth is
 * mounted `sync`: a line is on it before whoever wrote it goes on. A cut may leave half a line,
 * hence the line feed in front of the next.
 */
export const initScript = [
  ...bootLines,
  'mount -t cgroup2 cgroup /sys/fs/cgroup',
  'hostname guest',
  'ip link set lo up',
  `ip addr add ${guestAddress}/24 dev eth0`,
  'ip link set eth0 up',
  `mount -t ext4 -o noatime /dev/vda ${guestPaths.data} || echo "no /dev/vda"`,
  `mount -t ext4 -o noatime,sync /dev/vdb ${guestPaths.truth} || echo "no /dev/vdb"`,
  `printf '\\nboot %s\\n' "$chaos_boot" >>${guestPaths.log}`,
  `sh ${guestPaths.agent} &`,
  // Reaps whatever is orphaned; the agent never ends.
  'while :; do wait; done',
  '',
].join('\n');

export const agentScript = `
exec 3<>/dev/ttyS1
stty raw -echo <&3
say() { echo "$*" >&3; }
count() { grep -c '^whole$' "$1" 2>/dev/null || [ -e "$1" ] || echo 0; }
start() {
  [ -z "$2" ] || export TSCHED_JOIN="$2"
  { sh ${guestPaths.node} "$1" 2>>${guestPaths.data}/n$1.log 3>&-; echo "exit $?"; } </dev/null |
    while read -r line; do say "node $1 $line"; done
}
read -r up rest </proc/uptime
say "up $up"
while read -r verb number token <&3; do
  case $verb in
    start) (start "$number" "$token") & ;;
    mark)
      yes whole | head -n ${markLines} |
        dd of=${guestPaths.data}/synced-$number conv=fsync 2>/dev/null
      yes whole | head -n ${markLines} >${guestPaths.data}/unsynced-$number
      say marked ;;
    marks)
      cd ${guestPaths.data}
      say "marks $(count synced-$number) $(count unsynced-$number)" ;;
    log)
      lines=$(wc -l <${guestPaths.log})
      head -n "$lines" ${guestPaths.log} | sed 's/^/log /' >&3
      say "logged $lines" ;;
    tail)
      tail -n 12 ${guestPaths.data}/n$number.log | sed 's/^/tail /' >&3
      say tailed ;;
    off)
      kill -9 -1
      umount ${guestPaths.data}
      umount ${guestPaths.truth}
      poweroff -f ;;
  esac
done
`;

/** A word of a shell that means itself. */
const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Starts node `$1`; `command` is the program as it stands in the guest. */
export const nodeScript = (command: readonly string[], flags: readonly string[]): string =>
  [
    'export HOME=/nonexistent TSCHED_CONFIG_DIR=/run/config',
    `exec ${command.map(quote).join(' ')} node start \\`,
    `  --data-dir ${guestPaths.data}/n$1 --name n$1 \\`,
    `  --listen /ip4/127.0.0.1/tcp/$((${peerPort(0)} + $1)) \\`,
    `  --http ${guestAddress}:$((${httpPort(0)} + $1)) --allow-insecure-http \\`,
    `  ${flags.map(quote).join(' ')}`,
    '',
  ].join('\n');

const peerPort = (number: number): number => 7170 + number;
export const httpPort = (number: number): number => 7070 + number;
