"""The HTML frame and the style sheet of reports."""

__all__ = ['PAGE', 'POLICY', 'STYLE']

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1>{summary}{facts}{links}</header>
<main>{parts}</main>
<footer>Written by mmpt. This file needs no network.</footer>
{scripts}
</body>
</html>
"""

STYLE = """
:root {
  --back: #ffffff; --card: #f5f7f9; --text: #1b2026; --quiet: #5b6570; --line: #d7dde3; --link: #1f66a8;
  --s0: #2f81c4; --s1: #dd6b20; --s2: #2a9d78; --s3: #b0619f; --s4: #b38600; --s5: #6f7fd6; --s6: #8c6d5a;
  --s7: #5b9aa0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #12151a; --card: #1b2027; --text: #e4e8ec; --quiet: #9aa5b1; --line: #333c46; --link: #7db8ee;
    --s0: #5aa9e6; --s1: #f58f4a; --s2: #43bf98; --s3: #cf8bc0; --s4: #dcb13c; --s5: #97a3ee; --s6: #b8967f;
    --s7: #7fbcc2;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 3rem; background: var(--back); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  overflow-wrap: break-word;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .5rem; }
.lead { font-size: 1.08rem; max-width: 46rem; }
p { max-width: 46rem; margin: .6rem 0; }
.note, figcaption small, footer { color: var(--quiet); font-size: .88rem; font-weight: 400; }
a { color: var(--link); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: 0; margin: 1rem 0 0; }
.facts {
  display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1.1rem; margin: 1rem 0;
  padding: .9rem 1.1rem; background: var(--card); border-radius: .5rem; font-size: .92rem;
}
.facts dt { color: var(--quiet); }
.facts dd { margin: 0; }
.scroll {
  overflow-x: auto; margin: 1rem 0;
  /* A shade at the edge behind which there is more; the two covers move with the table. */
  background:
    linear-gradient(to right, var(--back) 40%, transparent) left / 2.5rem 100% no-repeat local,
    linear-gradient(to left, var(--back) 40%, transparent) right / 2.5rem 100% no-repeat local,
    linear-gradient(to right, var(--line), transparent) left / .9rem 100% no-repeat scroll,
    linear-gradient(to left, var(--line), transparent) right / .9rem 100% no-repeat scroll;
}
table { border-collapse: collapse; font-size: .95rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); font-size: .88rem; padding-bottom: .4rem; }
th, td { text-align: left; padding: .38rem 1.3rem .38rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 600; font-size: .88rem; vertical-align: bottom; }
td:first-child { min-width: 7.5rem; }
th.number, td.number { text-align: right; white-space: nowrap; min-width: 0; }
.strong td { font-weight: 700; }
pre {
  background: var(--card); border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto; font-size: .86rem;
  line-height: 1.45;
}
details { margin: .3rem 0; }
summary { cursor: pointer; color: var(--link); }
figure { margin: 1.2rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { font-weight: 600; font-size: .95rem; margin: .3rem 0; }
img + figcaption { font-weight: 400; color: var(--quiet); font-size: .88rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 0 2rem; }
.chart svg { display: block; width: 100%; height: auto; }
.chart text { fill: var(--quiet); font-size: 11.5px; }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1rem; padding: 0; margin: 0 0 .3rem; }
.legend li { font-size: .88rem; }
.swatch { display: inline-block; width: .8rem; height: .25rem; border-radius: 2px; margin-right: .4rem;
  vertical-align: middle; }
footer { margin-top: 3rem; }
@media (max-width: 36rem) {
  .facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .facts dd { margin-bottom: .5rem; }
  th, td { padding-right: .9rem; }
}
@media print { nav { display: none; } section { break-inside: avoid; } }
"""
