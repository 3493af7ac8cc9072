"""A sweep as one HTML page that needs no network: Optuna's plots, drawn by plotly.js, and a table of the trials."""

from html import escape
from pathlib import Path

from ganzoo.pages.page import page, plot_section
from ganzoo.records.files import write_text
from ganzoo.sweeping.plots import plots_of
from ganzoo.sweeping.report import numbered, shown, shown_time, shown_value, summary_lines
from ganzoo.sweeping.states import States, TrialState


def write_page(states: States, path: Path) -> None:
    """The page of a sweep as its run directories are now.

    Raises:
        GanzooError: the file cannot be written.
    """
    states.refresh()
    sweep = states.sweep
    lines = [*summary_lines(states, states.summary()), f"{sweep.file.method} search, {sweep.file.source}"]
    body = [
        *(f"<p>{escape(line)}</p>" for line in lines),
        *(plot_section(plot) for plot in plots_of(states)),
        f'<h2>Trials</h2>\n<div class="scrolls">\n{_table(states)}\n</div>',
    ]
    write_text(path, page(sweep.folder.name, "\n".join(body)))


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
