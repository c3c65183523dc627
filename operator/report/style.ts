/** The one stylesheet of a report: light and dark, narrow and wide, screen and paper. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f5f6f8; --line: #d9dde3; --text: #1b2026; --muted: #566170;
  --accent: #0a62c4; --accent-soft: #dbe9fb; --second: #b4550b; --third: #6b7684;
  --good: #17713f; --good-soft: #e2f3e8; --warn: #835200; --warn-soft: #fdf2d7; --bad: #b0241b; --bad-soft: #fce6e4;
  --shade: 10, 98, 196;
  --class-1: #0a62c4; --class-2: #b4550b; --class-3: #17713f; --class-4: #a3267f;
  --class-5: #6f5a00; --class-6: #5b3fc0; --class-7: #00707a; --class-8: #8d3030;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --raised: #1d2127; --line: #363d47; --text: #e7eaee; --muted: #a3adb9;
    --accent: #74b3fb; --accent-soft: #1b3350; --second: #f0a35e; --third: #8d98a6;
    --good: #74d19b; --good-soft: #173324; --warn: #f0c263; --warn-soft: #362b12; --bad: #ff9d94; --bad-soft: #401f1c;
    --shade: 116, 179, 251;
    --class-1: #74b3fb; --class-2: #f0a35e; --class-3: #74d19b; --class-4: #ee8fd0;
    --class-5: #e3cf5a; --class-6: #b3a1ff; --class-7: #5ed3de; --class-8: #ff9d94;
  }
}
* { box-sizing: border-box; }
html { background: var(--ground); -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 66rem; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 4rem; color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: 1.05rem; font-weight: 600; color: var(--muted); margin: 0 0 1.25rem; }
h1 b { color: var(--text); }
h2 { font-size: 1.3rem; margin: 3rem 0 .75rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p, ul, dl { max-width: 46rem; }
p { margin: .5rem 0; } li + li { margin-top: .4rem; } .notes li + li { margin-top: 0; }
a { color: var(--accent); }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .875em; }
li code { white-space: nowrap; }
small, .muted { color: var(--muted); }
.verdict { border: 1px solid var(--line); border-left: .4rem solid var(--tone); border-radius: .5rem; background: var(--raised); padding: 1.1rem 1.4rem 1.25rem; }
.verdict .claim { font-size: clamp(1.15rem, 2.6vw, 1.5rem); line-height: 1.35; font-weight: 600; margin: 0 0 .5rem; max-width: none; text-wrap: pretty; }
.verdict p { max-width: none; }
.good { --tone: var(--good); } .warn { --tone: var(--warn); } .bad { --tone: var(--bad); } .plain { --tone: var(--accent); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, auto)); gap: .9rem 1.5rem; margin: 1.1rem 0 0; max-width: none; }
.figures dt { font-size: .82rem; color: var(--muted); }
.figures dd { margin: 0; font-size: 1.2rem; font-weight: 600; overflow-wrap: normal; font-variant-numeric: tabular-nums; }
.figures dd small { display: block; font-size: .82rem; font-weight: 400; }
.notes { list-style: none; margin: .75rem 0; padding: 0; max-width: none; display: grid; gap: .5rem; }
.notes li { background: var(--warn-soft); border-left: .25rem solid var(--warn); border-radius: .3rem; padding: .5rem .9rem; }
.notes b { color: var(--warn); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18.5rem), 1fr)); gap: 1.5rem 2rem; margin: 1rem 0; align-items: start; }
figure { margin: 0; min-width: 0; }
figure > h3:first-child { margin-top: 0; }
figure svg { display: block; width: 100%; height: auto; max-width: 30rem; }
figure .wide svg { max-width: none; }
figcaption { font-size: .875rem; color: var(--muted); max-width: 46rem; margin-top: .35rem; }
.narrow { display: none; }
@media (max-width: 40rem) { .narrow { display: block; } .wide { display: none; } }
.scroll { overflow-x: auto; margin: .75rem 0; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .9rem; }
.full { width: 100%; }
caption { text-align: left; color: var(--muted); font-size: .875rem; padding: 0 0 .4rem; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; overflow-wrap: normal; }
thead th { font-weight: 600; color: var(--muted); border-bottom-width: 2px; white-space: nowrap; vertical-align: bottom; }
tbody th { font-weight: 600; }
.name { overflow-wrap: anywhere; min-width: 8rem; max-width: 20rem; }
.long { overflow-wrap: anywhere; min-width: 12rem; max-width: 26rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.chosen > * { background: var(--accent-soft); }
.swatch { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; background: var(--tone); margin-right: .45rem; }
.key { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: .75rem 0; max-width: none; font-size: .9rem; }
.tag { display: inline-block; font-size: .75rem; font-weight: 600; line-height: 1.2; padding: .1rem .45rem; border-radius: 1rem; border: 1px solid currentColor; color: var(--tone); white-space: nowrap; }
caption span { display: block; position: sticky; left: 0; width: max-content; max-width: min(46rem, 100vw - 2rem); }
.matrix th:first-child { text-align: left; }
.matrix small { color: inherit; }
.matrix td { text-align: right; font-variant-numeric: tabular-nums; border: 1px solid var(--ground); background: rgba(var(--shade), var(--share)); min-width: 3rem; }
.matrix th[scope=col]:not(:first-child) { text-align: right; max-width: 8rem; white-space: normal; overflow-wrap: anywhere; }
.matrix th[scope=row] { max-width: 9rem; overflow-wrap: anywhere; }
.bar { position: relative; display: block; height: .8rem; margin-top: .35rem; min-width: 8rem; background: var(--raised); border-radius: .15rem; }
.bar i { position: absolute; inset: 0 auto 0 var(--start); width: var(--width); background: var(--accent); border-radius: .15rem; }
.bar s { position: absolute; top: 50%; left: var(--start); width: var(--width); border-top: 2px solid var(--text); text-decoration: none; }
dl.facts { display: grid; grid-template-columns: minmax(8rem, 13rem) 1fr; gap: .3rem 1rem; max-width: none; font-size: .93rem; }
dl.facts dt { color: var(--muted); } dl.facts dd { margin: 0; min-width: 0; }
details { margin: .6rem 0; border: 1px solid var(--line); border-radius: .4rem; }
summary { cursor: pointer; padding: .45rem .9rem; font-weight: 600; }
details > :not(summary) { margin: 0; padding: .6rem .9rem; border-top: 1px solid var(--line); }
pre { overflow-x: auto; background: var(--raised); line-height: 1.45; tab-size: 4; margin: 0; }
pre.block { padding: .7rem .9rem; border-radius: .4rem; white-space: pre-wrap; margin: .4rem 0; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; color: var(--muted); font-size: .875rem; }
@media (max-width: 40rem) {
  dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .6rem; }
  th, td { padding: .35rem .4rem; } .name { min-width: 7rem; } .bar { min-width: 4.5rem; }
  .verdict { padding: .9rem 1rem 1rem; } ul { padding-left: 1.2rem; } .notes, .key { padding: 0; }
}
@media print {
  :root {
    color-scheme: light;
    --ground: #ffffff; --raised: #f5f6f8; --line: #d9dde3; --text: #000000; --muted: #444c57;
    --accent: #0a62c4; --accent-soft: #dbe9fb; --second: #b4550b; --third: #6b7684;
    --good: #17713f; --good-soft: #e2f3e8; --warn: #835200; --warn-soft: #fdf2d7; --bad: #b0241b; --bad-soft: #fce6e4;
    --shade: 10, 98, 196;
    --class-1: #0a62c4; --class-2: #b4550b; --class-3: #17713f; --class-4: #a3267f;
    --class-5: #6f5a00; --class-6: #5b3fc0; --class-7: #00707a; --class-8: #8d3030;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3 { break-after: avoid; } figure, tr, .verdict, .notes li { break-inside: avoid; }
  .scroll { overflow: visible; } pre { white-space: pre-wrap; }
  @page { margin: 1.6cm; }
}
`;
