/** The style of a report's page: light and dark by the reader's choice, nothing loaded. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: #f5f6f8; --card: #fff; --line: #d9dde3; --ink: #1c2128; --soft: #57606c;
  --good: #1f7a4d; --good-soft: #def3e7; --bad: #b4232f; --bad-soft: #fbe1e3;
  --warn: #8a5a00; --warn-soft: #fbefd5; --lane: #e9ecf1; --lead: #3f6fd6;
  --down: #c2414c; --paused: #d99a1f; --cut: #8b5cc7; --starting: #9fb3c8; --refused: #6d1620;
  --acked: #1e63b5; --ended: #1f8a55; --p50: #1e63b5; --p99: #b4232f; --band: #b4232f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --card: #1c2025; --line: #333a43; --ink: #e6e9ed; --soft: #a3adb9;
    --good: #6fd3a0; --good-soft: #17392a; --bad: #ff8f97; --bad-soft: #4a1f24;
    --warn: #eebf62; --warn-soft: #42330f; --lane: #2a3038; --lead: #6f9bf5;
    --down: #d0525d; --paused: #d9a13a; --cut: #a47fe0; --starting: #56687a; --refused: #8f2431;
    --acked: #86b8f5; --ended: #6fd3a0; --p50: #86b8f5; --p99: #ff8f97; --band: #ff8f97;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
h1 { font-size: 1.35rem; margin: 0 0 .15rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
p { margin: .3rem 0; }
.soft { color: var(--soft); }
.verdict {
  display: flex; gap: 1rem; align-items: center; border-radius: 10px; padding: 1rem 1.2rem;
  margin: 1rem 0; font-size: 1.1rem;
}
.verdict b { font-size: 1.5rem; letter-spacing: .03em; white-space: nowrap; }
.green { background: var(--good-soft); } .green b { color: var(--good); }
.red { background: var(--bad-soft); } .red b { color: var(--bad); }
.skipped { background: var(--warn-soft); } .skipped b { color: var(--warn); }
.totals { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: .6rem; }
.totals div, .card {
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .8rem;
}
.totals b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.totals span { color: var(--soft); font-size: .85rem; }
.card { padding: .8rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; color: var(--soft); font-weight: 500; font-size: .85rem; }
td.mark { width: 5.2rem; white-space: nowrap; font-weight: 600; }
.ok { color: var(--good); } .no { color: var(--bad); }
td.num { white-space: nowrap; font-variant-numeric: tabular-nums; }
ul { margin: .3rem 0; padding-left: 1.1rem; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", monospace; }
svg { display: block; width: 100%; min-width: 720px; height: auto; font-size: 12px; }
svg text { fill: var(--ink); } svg .soft { fill: var(--soft); }
.lane { fill: var(--lane); } .lead { fill: var(--lead); opacity: .75; }
.down { fill: var(--down); } .paused { fill: var(--paused); } .cut { fill: var(--cut); }
.starting { fill: var(--starting); } .refused { fill: var(--refused); }
svg text.on { fill: #fff; font-weight: 600; }
.band { fill: var(--band); opacity: .09; } .bar { fill: var(--band); opacity: .8; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); }
.edge { stroke: var(--soft); stroke-dasharray: 4 3; }
.series { fill: none; stroke-width: 1.8; }
.s-acked { stroke: var(--acked); } .s-ended { stroke: var(--ended); }
.s-p50 { stroke: var(--p50); } .s-p99 { stroke: var(--p99); }
.key { display: inline-flex; align-items: center; gap: .35rem; margin-right: 1rem; font-size: .85rem; }
.key i { width: 14px; height: 10px; border-radius: 2px; display: inline-block; }
`;
