"""A report as one HTML page that needs nothing else: fonts are the system's, Plotly is inlined, nothing is fetched."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly ships no types


def html_page(title: str, body: str, figures: Mapping[str, Mapping[str, Any]], *, extra_css: str = "") -> str:
    """The whole page.

    Args:
        title: of the browser's tab.
        body: HTML, with an element for every figure's id.
        figures: Plotly JSON (`data`, `layout`) by id. Colours that depend on light or dark are set here.
        extra_css: rules of this report alone.
    """
    # "</" inside a script element would end it; with a backslash between the two it is the same JSON.
    data = json.dumps(figures).replace("</", "<\\/")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}{extra_css}</style></head><body><main>{body}</main>"
        f'<script>{get_plotlyjs()}</script><script type="application/json" id="figures">{data}</script>'
        f"<script>{SCRIPT}</script></body></html>\n"
    )


CSS: Final = """
:root { color-scheme: light dark; --ink:#1b2330; --soft:#5a6475; --line:#dfe3ea; --paper:#fbfbf9; --card:#ffffff;
  --accent:#0c8577; --grid:#e6e9ef; }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e8ebf1; --soft:#9aa5b8; --line:#2b3442; --paper:#12161d; --card:#191f29; --accent:#3fd0bd;
  --grid:#29313d; }
}
* { box-sizing: border-box; }
body { margin:0; background:var(--paper); color:var(--ink);
  font:17px/1.6 Charter,"Bitstream Charter","Iowan Old Style",Georgia,serif; }
main { max-width:1080px; margin:0 auto; padding:56px 24px 96px; }
.kicker,.card,table,figcaption,.tag,footer,code,.legend { font-family:system-ui,-apple-system,"Segoe UI",Roboto,
  "Helvetica Neue",sans-serif; }
.kicker { letter-spacing:.09em; text-transform:uppercase; font-size:12.5px; font-weight:600; color:var(--accent);
  margin:0 0 14px; }
h1 { font-size:clamp(28px,4.4vw,44px); line-height:1.16; letter-spacing:-.012em; font-weight:600; margin:0 0 18px;
  text-wrap:balance; }
h2 { font-size:25px; line-height:1.25; margin:64px 0 8px; font-weight:600; letter-spacing:-.005em; }
p { max-width:72ch; margin:0 0 14px; } .lead { font-size:19px; color:var(--soft); }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(170px,1fr)); gap:14px; margin:34px 0 8px; }
.card { background:var(--card); border:1px solid var(--line); border-radius:12px; padding:18px 18px 16px; }
.card b { display:block; font-size:31px; line-height:1.15; font-weight:650; letter-spacing:-.02em;
  font-variant-numeric:tabular-nums; }
.card.main b { color:var(--accent); } .card span { font-size:13.5px; line-height:1.35; color:var(--soft);
  display:block; margin-top:5px; }
figure { margin:18px 0 0; background:var(--card); border:1px solid var(--line); border-radius:12px;
  padding:14px 12px 8px; min-width:0; }
figcaption { font-size:14px; color:var(--soft); padding:0 8px 8px; } figcaption strong { color:var(--ink);
  font-size:15px; }
.fills { display:grid; grid-template-columns:repeat(auto-fit,minmax(310px,1fr)); gap:14px; }
.legend { font-size:13px; color:var(--soft); margin:12px 2px 0; display:flex; gap:10px; align-items:center;
  flex-wrap:wrap; }
.ramp { display:inline-block; width:130px; height:9px; border-radius:5px;
  background:linear-gradient(90deg,#9ad9c9,#3f8fb5,#3b3a7a); }
.scroll { overflow-x:auto; } table { border-collapse:collapse; width:100%; font-size:15px; margin:16px 0 0;
  font-variant-numeric:tabular-nums; }
th,td { text-align:right; padding:8px 12px; border-bottom:1px solid var(--line); vertical-align:top; }
  th { font-weight:600; }
th:first-child,td:first-child { text-align:left; color:var(--soft); padding-left:2px; }
  thead th { border-bottom:2px solid var(--line); } td.text { text-align:left; }
.dot { display:inline-block; width:10px; height:10px; border-radius:50%; margin-right:7px; }
blockquote { margin:16px 0; padding:16px 20px; border-left:4px solid var(--accent); background:var(--card);
  border-radius:0 10px 10px 0; }
blockquote .tag { font-size:12px; font-weight:600; letter-spacing:.07em; text-transform:uppercase;
  color:var(--accent); display:block; }
details { margin:14px 0; } summary { cursor:pointer; color:var(--soft); }
pre { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:14px 16px; overflow-x:auto;
  font-size:13.5px; line-height:1.5; }
code,pre { font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace; }
  code { font-size:.88em; }
ul { padding-left:22px; max-width:74ch; } li { margin:0 0 8px; } footer { margin-top:64px; font-size:13.5px;
  color:var(--soft); }
"""

SCRIPT: Final = """
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const figures = JSON.parse(document.getElementById('figures').textContent);
function draw() {
  for (const [id, figure] of Object.entries(figures)) {
    const layout = structuredClone(figure.layout);
    Object.assign(layout, {paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)'});
    layout.font = {color: css('--soft'), size: 13, family: 'system-ui, "Segoe UI", Roboto, sans-serif'};
    layout.hoverlabel = {bgcolor: css('--card'), bordercolor: css('--line'), font: {color: css('--ink')}};
    for (const axis of ['xaxis', 'yaxis'])
      Object.assign(layout[axis], {gridcolor: css('--grid'), linecolor: css('--line'), zerolinecolor: css('--soft')});
    Plotly.react(id, figure.data, layout, {displayModeBar: false, responsive: true});
  }
}
draw();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
"""
