"""A sweep as one HTML page that needs no network: Optuna's plots, drawn by plotly.js, and a table of the trials."""

import json
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from ganzoo.records.files import write_text
from ganzoo.sweeping.plots import Plot, plots_of
from ganzoo.sweeping.report import numbered, shown, shown_time, shown_value, summary_lines
from ganzoo.sweeping.states import States, TrialState

LIGHT, DARK = "#ffffff", "#14171a"  # backgrounds of the page and of the plots on it


def write_page(states: States, path: Path) -> None:
    """The page of a sweep as its run directories are now.

    Raises:
        GanzooError: the file cannot be written.
    """
    from plotly.offline import get_plotlyjs

    states.refresh()
    sweep = states.sweep
    lines = [*summary_lines(states, states.summary()), f"{sweep.file.method} search, {sweep.file.source}"]
    page = Template(files("ganzoo.sweeping").joinpath("page.html").read_text()).substitute(
        title=escape(sweep.folder.name),
        plotly=get_plotlyjs(),
        summary="\n".join(f"<p>{escape(line)}</p>" for line in lines),
        plots="\n".join(_section(plot) for plot in plots_of(states)),
        table=_table(states),
        light=LIGHT,
        dark=DARK,
        templates=_in_script({"light": _template("plotly_white", LIGHT), "dark": _template("plotly_dark", DARK)}),
    )
    write_text(path, page)


def _section(plot: Plot) -> str:
    heading = f"<h2>{escape(plot.title)}</h2>\n<p>{escape(plot.about)}</p>"
    if plot.figure is None:
        return heading
    plot.figure.update_layout(title=None, template=None, width=None, autosize=True, margin={"t": 60, "r": 30})
    figure = _in_script(json.loads(plot.figure.to_json()))
    data = f'<script type="application/json">{figure}</script>'
    return f'{heading}\n<div class="scrolls">{data}<div class="plot" style="min-width: {plot.width}px"></div></div>'


def _template(name: str, background: str) -> dict[str, Any]:
    import plotly.io

    template = plotly.io.templates[name].to_plotly_json()
    return {**template, "layout": {**template["layout"], "paper_bgcolor": background, "plot_bgcolor": background}}


def _in_script(values: Any) -> str:
    """JSON that no HTML parser takes for the end of the script that it is in."""
    return json.dumps(values).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _table(states: States) -> str:
    keys = list(dict.fromkeys(key for state in states.seen for key in states.varied(state.trial)))
    metric, best = states.sweep.file.metric, states.summary().best
    heads = ["trial", "status", metric.name if metric else "", "updates", "time", *keys, "reason", "run directory"]
    rows = "\n".join(_row(states, state, keys, state is best) for state in states.seen)
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _row(states: States, state: TrialState, keys: list[str], best: bool) -> str:
    varied = states.varied(state.trial)
    cells = [
        numbered(state.trial),
        state.status,
        shown_value(state.value),
        "" if state.budget is None else f"{state.generator_updates}/{state.budget}",
        shown_time(state.seconds) if state.seconds else "",
        *(shown(varied[key]) if key in varied else "" for key in keys),
    ]
    plain = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    reason = f'<td class="reason">{escape(state.reason or "")}</td>'
    where = f"<td>{escape(str(state.trial.directory))}</td>"
    return f'<tr class="{state.status}{" best" if best else ""}">{plain}{reason}{where}</tr>'
