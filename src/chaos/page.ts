/**
 * The page of a report: verdict in words, the picture, then checks and faults as tables. One file
 * that loads nothing and runs nothing.
 */
import { pageStyle } from './page-style.ts';
import { drawPicture, escapeText, inSeconds } from './picture.ts';
import type { Recovery } from './recovery.ts';
import type { Report, ReportFault } from './report.ts';

const words = { green: 'GREEN', red: 'RED', skipped: 'SKIPPED' } as const;
const signs = { green: '✔', red: '✘', skipped: '–' } as const;

export function renderPage(report: Report): string {
  const { scenario, verdict } = report;
  const title = `${scenario}: ${words[verdict].toLowerCase()}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)} · tsched chaos</title>
<style>${pageStyle}</style>
</head>
<body>
<main>
<h1>${escapeText(scenario)}</h1>
<p>${escapeText(report.about)}</p>
<p class="soft">${escapeText(origin(report))}</p>
<div class="verdict ${verdict}"><b>${signs[verdict]} ${words[verdict]}</b>
<span>${escapeText(report.headline)}</span></div>
${list(report.notes)}
${verdict === 'skipped' ? lacksTable(report) : body(report)}
</main>
</body>
</html>
`;
}

const origin = ({ nodes, shards, seed, startedAt, version, endMs }: Report): string =>
  `${nodes} nodes, ${shards} shards · seed ${seed} · ${inSeconds(endMs)} · ${startedAt} · tsched ${version}`;

const body = (report: Report): string => `${totals(report)}
<h2>What happened</h2>
<div class="card">${drawPicture(report)}${keys}</div>
<h2>What had to hold</h2>
<div class="card">${checksTable(report)}</div>
<h2>What was done to it</h2>
<div class="card">${faultsTable(report)}</div>`;

const key = (style: string, text: string): string =>
  `<span class="key"><i style="background:var(--${style})"></i>${text}</span>`;

const keys = `<p>${[
  key('lead', 'shards that the node led (height)'),
  key('down', 'down'),
  key('starting', 'starting'),
  key('paused', 'stands still'),
  key('cut', 'cut off'),
  key('refused', 'refused to start'),
  key('acked', 'acknowledged, median'),
  key('ended', 'ended'),
  key('p99', '99 %'),
].join('')}</p>`;

function totals({ totals: sum }: Report): string {
  const time = (ms: number | undefined): string => (ms === undefined ? '–' : inSeconds(ms));
  const cells: [string, string][] = [
    [String(sum.acked), `of ${sum.submitted} submits acknowledged`],
    [String(sum.settled), 'tasks succeeded'],
    [String(sum.attempts), `attempts ran, ${sum.lostAttempts} lost with their node`],
    [`${time(sum.ackP50Ms)} / ${time(sum.ackP99Ms)}`, 'to an acknowledgement, median / 99 %'],
    [time(sum.slowestAckRecoveryMs), 'slowest recovery: next acknowledged submit'],
    [time(sum.slowestLedRecoveryMs), 'slowest recovery: every shard led'],
    [time(sum.longestSilenceMs), 'longest time without an acknowledgement'],
    [String(sum.replicasCompared), 'comparisons of replicas'],
  ];
  const boxes = cells.map(
    ([value, meaning]) =>
      `<div><b>${escapeText(value)}</b><span>${escapeText(meaning)}</span></div>`,
  );
  return `<div class="totals">${boxes.join('')}</div>`;
}

const allOf = (nodes: readonly string[]): string =>
  nodes.length > 1 ? `each of ${nodes.join(', ')}` : nodes.join();

const list = (lines: readonly string[]): string =>
  lines.length === 0
    ? ''
    : `<ul>${lines.map(line => `<li>${escapeText(line)}</li>`).join('')}</ul>`;

function checksTable({ checks }: Report): string {
  const rows = checks.map(({ ok, promise, found, cases }) => {
    const mark = ok ? '<td class="mark ok">✔ holds</td>' : '<td class="mark no">✘ broken</td>';
    return `<tr>${mark}<td>${escapeText(promise)}</td><td>${escapeText(found)}${list(cases)}</td></tr>`;
  });
  return (
    '<table><thead><tr><th></th><th>Promise</th><th>Looked at</th></tr></thead>' +
    `<tbody>${rows.join('')}</tbody></table>`
  );
}

function faultsTable({ faults }: Report): string {
  if (faults.length === 0) return '<p>Nothing: this shows how it is without faults.</p>';
  const heads = ['', 'When', 'Fault', 'Recovered after', 'Told'];
  return (
    `<table><thead><tr>${heads.map(head => `<th>${head}</th>`).join('')}</tr></thead>` +
    `<tbody>${faults.map(faultRow).join('')}</tbody></table>`
  );
}

function faultRow(fault: ReportFault): string {
  const { number, kind, nodes, fromMs, toMs, does, promise, told, failed, recovery } = fault;
  const lasted = toMs - fromMs;
  const when = `${inSeconds(fromMs)}, for ${inSeconds(lasted)}`;
  const notes = failed === undefined ? told : [...told, `not done: ${failed}`];
  return (
    `<tr><td>${number}</td><td class="num">${when}</td>` +
    `<td><b>${kind}</b> ${escapeText(`${allOf(nodes)} ${does}`)}` +
    `<br><span class="soft">${escapeText(promise)}</span></td>` +
    `<td class="num">${recovery.map(describeRecovery).join('<br>')}</td><td>${list(notes)}</td></tr>`
  );
}

function describeRecovery({ since, ackMs, ledMs }: Recovery): string {
  const time = (ms: number | undefined): string => (ms === undefined ? 'never' : inSeconds(ms));
  return `since its ${since}: acknowledged ${time(ackMs)}, led ${time(ledMs)}`;
}

function lacksTable({ lacks }: Report): string {
  const rows = lacks.map(
    ({ kind, reason }) => `<tr><td><b>${kind}</b></td><td>${escapeText(reason)}</td></tr>`,
  );
  return (
    '<div class="card"><table><thead><tr><th>Fault</th><th>Why not here</th></tr></thead>' +
    `<tbody>${rows.join('')}</tbody></table></div>`
  );
}
