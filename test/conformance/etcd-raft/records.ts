/**
 * The grammar of the transcripts' output. Every line is parsed into a record; lines that only word
 * a log message are dropped. Records print back to exactly the line they came from, which is
 * checked for every line that is compared: nothing that a line says is lost on the way.
 */

/** One parsed line: its depth, its kind, and what its kind's pattern captured. */
export interface OutputRecord {
  readonly indent: number;
  readonly kind: string;
  readonly fields: readonly string[];
}

const LOG_LINE = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /;

/** Patterns of one kind of line: literals and captured fields, in turn. */
type Part = string | RegExp;

const NUMBER = /\d+/;
const TARGET = /None|AppendThread|ApplyThread|\d+/;
const IDS = /\[[\d ]*\]/;
const CONF: Part[] = [
  ...['ConfState:Voters:', IDS, ' VotersOutgoing:', IDS, ' Learners:', IDS],
  ...[' LearnersNext:', IDS, ' AutoLeave:', /true|false/],
];
const ENTRY: Part[] = [NUMBER, '/', NUMBER, ' ', /EntryNormal|EntryConfChange(?:V2)?/];
/** What an entry holds: quoted data, operations, or nothing. */
const CONTENT = / "(?:[^"\\]|\\.)*"|(?: [vlru]\d+)*/;
const MAJORITY = /\([\d ]*\)(?:&&\([\d ]*\))?/;
const STATE = /State(?:Follower|Candidate|PreCandidate|Leader)/;

const CONF_ERRORS = [
  'removed all voters',
  'config is already joint',
  "can't make a zero-voter config joint",
  "can't leave a non-joint config",
  "can't apply simple config change in joint config",
  'more than one voter changed without entering joint config',
  'this command takes no input',
];

const GRAMMAR: readonly (readonly [kind: string, parts: readonly Part[]])[] = [
  ['section', ['> ', NUMBER, ' ', /handling Ready|receiving messages|processing a\w+ thread/]],
  ['ready', ['Ready MustSync=', /true|false/, ':']],
  ['emptyReady', ['<empty Ready>']],
  ['soft', ['Lead:', NUMBER, ' State:', STATE]],
  ['hard', ['HardState Term:', NUMBER, /(?: Vote:\d+)?/, ' Commit:', NUMBER]],
  ['heading', [/Entries|CommittedEntries|Messages|Processing|Responses/, ':']],
  ['reads', [/Reads|ReadsLost/, ' ', /[\d@ ]+/]],
  ['entry', [...ENTRY, CONTENT]],
  ['readySnapshot', ['Snapshot Index:', NUMBER, ' Term:', NUMBER, ' ', ...CONF]],
  [
    'messageSnapshot',
    ['Snapshot: Index:', NUMBER, ' Term:', NUMBER, ' ', ...CONF, /(?: Responses:\[)?/],
  ],
  [
    'message',
    [
      ...[/(?:dropped: )?/, TARGET, '->', TARGET, ' ', /Msg[A-Za-z]+/],
      ...[' Term:', NUMBER, ' Log:', NUMBER, '/', NUMBER],
      ...[/(?: Rejected \(Hint: \d+\))?/, /(?: Commit:\d+)?/, /(?: Vote:\d+)?/, /(?: Read:\d+)?/],
      ...[/(?: Entries:\[.*?\](?=$| Responses)| Entries:\[)?/, /(?: Responses:\[)?/],
    ],
  ],
  ['close', [/\](?: Responses:\[)?/]],
  [
    'raftState',
    [NUMBER, ': ', STATE, ' (', /Voter|Non-Voter/, ') Term:', NUMBER, ' Lead:', NUMBER],
  ],
  [
    'progress',
    [
      ...[NUMBER, ': ', /State(?:Probe|Replicate|Snapshot)/, ' match=', NUMBER, ' next=', NUMBER],
      ...[/(?: learner)?/, /(?: paused)?/, /(?: pendingSnap=\d+)?/, /(?: inactive)?/],
      /(?: inflight=\d+(?:\[full\])?)?/,
    ],
  ],
  ['emptyLog', ['log is empty: first index=', NUMBER, ', last index=', NUMBER]],
  [
    'conf',
    [
      ...['voters=', MAJORITY, /(?: learners=\([\d ]*\))?/, /(?: learners_next=\([\d ]*\))?/],
      /(?: autoleave)?/,
    ],
  ],
  ['acksHead', [/ +/, 'idx']],
  ['acks', [/[x>?]+ */, / +/, NUMBER, '    (id=', NUMBER, ')']],
  ['committed', [/(?:<empty majority quorum>)?/, /∞|\d+/, /(?: <-- .*)?/]],
  ['vote', [/VotePending|VoteWon|VoteLost/, /(?: <-- .*)?/]],
  ['proposal', ['raft proposal dropped', /(?:: \w+)?/]],
  ['step', ['raft: cannot step as peer not found']],
  ['noMessages', ['no messages']],
  ['noWork', ['no ', /append|apply/, ' work to perform']],
  ['read', ['read ', /counted \d+|refused: \w+/]],
  ['confError', [new RegExp(CONF_ERRORS.join('|'))]],
];

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

const PATTERNS = GRAMMAR.map(([kind, parts]) => {
  const source = parts.map(part => (typeof part === 'string' ? literal(part) : `(${part.source})`));
  return { kind, parts, pattern: new RegExp(`^${source.join('')}$`) };
});

/** Parses one line that is no log line. Throws on a line that the grammar does not know. */
export function parseLine(line: string): OutputRecord {
  for (const { kind, pattern } of PATTERNS) {
    // A table's own leading blanks are part of it.
    const indent = kind.startsWith('acks') ? 0 : line.length - line.trimStart().length;
    const match = pattern.exec(line.slice(indent));
    if (match !== null) return { indent, kind, fields: match.slice(1).map(field => field ?? '') };
  }
  throw new Error(`unknown line in a transcript: ${JSON.stringify(line)}`);
}

/** The line that `parseLine` reads as this record. */
export function printLine(record: OutputRecord): string {
  const form = PATTERNS.find(({ kind }) => kind === record.kind);
  if (form === undefined) throw new Error(`unknown kind of record: ${record.kind}`);
  let next = 0;
  const text = form.parts.map(part => (typeof part === 'string' ? part : record.fields[next++]));
  return ' '.repeat(record.indent) + text.join('');
}

/**
 * Records of an output, without log lines and without the `ok` that stands for no output. Throws if
 * a line does not survive being parsed and printed.
 */
export function parseOutput(lines: readonly string[]): OutputRecord[] {
  const records: OutputRecord[] = [];
  for (const line of lines) {
    if (LOG_LINE.test(line) || line === 'ok' || line === '') continue;
    const record = parseLine(line);
    const printed = printLine(record);
    if (printed !== line) throw new Error(`line ${JSON.stringify(line)} printed as ${printed}`);
    records.push(record);
  }
  return records;
}
