"""What a person sees while a sweep runs: on stderr, a table that stays in its place, or a line a trial."""

from collections import deque
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganzoo.errors import visible
from ganzoo.sweeping.report import described, numbered, shown, shown_time, shown_value, summary_lines
from ganzoo.sweeping.states import BROKEN, States, TrialState

LAST_ENDED = 5  # shown below the running ones
OTHER_LINES = 6  # of the screen: the summary's four, one that says how many are not shown, and the cursor's
BAR_WIDTH = 12
LONGEST_REASON = 200  # characters of it in a line


class LiveTable:
    """Running trials with bars, the last that ended, counts, the best so far and the time left; it fits the screen.

    Where stderr is no terminal: one line for every trial that ends.

    Args:
        console: where to draw; None: stderr.
    """

    def __init__(self, states: States, console: Console | None = None):
        self.states = states
        self.console = console or Console(stderr=True)
        self._last_ended: deque[TrialState] = deque(maxlen=LAST_ENDED)
        self._live: Live | None = None
        self._ended: set[int] = set()

    def __enter__(self) -> "LiveTable":
        self._ended = _numbers_of_ended(self.states.refresh())
        if self.console.is_terminal:
            self._live = Live(self._drawn(), console=self.console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def update(self) -> None:
        """Looks at the run directories and draws what is new there."""
        seen = self.states.refresh()
        for state in seen:
            if state.ended and state.trial.number not in self._ended:
                self._last_ended.append(state)
                if self._live is None:
                    self._print(self._line(state))
        self._ended = _numbers_of_ended(seen)
        if self._live is not None:
            self._live.update(self._drawn(), refresh=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
        if error is not None:  # nobody will say how it ended, since it has not
            for line in summary_lines(self.states, self.states.summary()):
                self._print(line)

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, state: TrialState) -> str:
        """A trial that has ended, complete: it may be read from a file a week later."""
        metric, varied = self.states.sweep.metric, self.states.varied(state.trial)
        parts = [f"{numbered(state.trial)} {state.status}"]
        if metric is not None and state.value is not None:
            parts.append(f"{metric.name} {shown_value(state.value)}")
        parts.append(" ".join(f"{key}={shown(value)}" for key, value in varied.items()))
        parts.append(visible(state.reason or "", limit=LONGEST_REASON))
        return "  ".join(part for part in parts if part) + f" ({shown_time(state.seconds)})"

    def _drawn(self) -> Group:
        counts, *others = summary_lines(self.states, self.states.summary())
        return Group(self._table(), Text(counts), *(Text(line, no_wrap=True, overflow="ellipsis") for line in others))

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        for _ in range(4):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        running = [state for state in self.states.seen if state.status == "running"]
        shown_here = running[: max(self.console.height - OTHER_LINES - len(self._last_ended), 1)]
        for state in shown_here:
            bar = ProgressBar(total=state.budget or 1, completed=state.generator_updates, width=BAR_WIDTH)
            updates = f"{state.generator_updates}/{state.budget}" if state.budget else "starting"
            table.add_row(*self._cells(state, bar, Text(updates)))
        for state in self._last_ended:
            style = "red" if state.status in BROKEN else "green"
            table.add_row(*self._cells(state, Text(state.status, style), Text(shown_time(state.seconds))))
        if len(running) > len(shown_here):
            table.add_row("", Text(f"and {len(running) - len(shown_here)} more"), "", "", "")
        return table

    def _cells(self, state: TrialState, how: RenderableType, far: Text) -> tuple[RenderableType, ...]:
        """A row: its number, a bar or how it ended, updates or time, the metric, its parameters or why it broke."""
        told = visible(state.reason) if state.reason else described(self.states, state.trial)
        return Text(numbered(state.trial)), how, far, Text(shown_value(state.value)), Text(told)


def _numbers_of_ended(states: list[TrialState]) -> set[int]:
    return {state.trial.number for state in states if state.ended}
