"""The page itself: what it is filled with, and plots as plotly.js draws them."""

import json
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plotly.graph_objects import Figure

LIGHT, DARK = "#ffffff", "#14171a"  # backgrounds of the page and of the plots on it
WIDE = 20.0  # when the greatest of some positive numbers is that many times the least, their axis is logarithmic
LONGEST_PARAGRAPH = 2000  # characters


@dataclass(frozen=True)
class Plot:
    """A section of the page: a figure, or why there is none.

    Attributes:
        width: pixels below which the figure cannot be read.
    """

    title: str
    about: str
    figure: "Figure | None" = None
    width: int = 320


def page(title: str, body: str, style: str = "", script: str = "") -> str:
    """A whole page.

    Args:
        title: plain text; all else goes into the page as it is.
        style, script: in addition to what every page has.
    """
    from plotly.offline import get_plotlyjs

    text = Template(files("ganzoo.pages").joinpath("page.html").read_text()).substitute(
        title=escape(title),
        body=body,
        style=style,
        script=script,
        plotly=get_plotlyjs(),
        light=LIGHT,
        dark=DARK,
        templates=in_script({"light": _template("plotly_white", LIGHT), "dark": _template("plotly_dark", DARK)}),
    )
    return text.encode(errors="backslashreplace").decode()  # half a character, as in a name that is no UTF-8, is told


def plot_section(plot: Plot) -> str:
    """A plot under a heading of its own."""
    words = f"<h2>{escape(plot.title)}</h2>\n<p>{escape(plot.about)}</p>"
    return words if plot.figure is None else f"{words}\n{drawn(plot.figure, plot.width)}"


def drawn(figure: "Figure", width: int = 320) -> str:
    """The figure as data, and the place where the page's script draws it when somebody comes near."""
    margin = {"t": 60, "r": 30} | figure.layout.margin.to_plotly_json()
    figure.update_layout(title=None, template=None, width=None, autosize=True, margin=margin)
    data = data_for(json.loads(figure.to_json()))
    size = f"min-width: {width}px; min-height: {figure.layout.height or 450}px"
    return f'<div class="scrolls">{data}<div class="plot" style="{size}"></div></div>'


def data_for(values: Any) -> str:
    """What a script of the page finds again in the element that this is put into."""
    return f'<script type="application/json">{in_script(values)}</script>'


def in_script(values: Any) -> str:
    """JSON that no HTML parser takes for the end of the script that it is in."""
    return json.dumps(values).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def heading(text: str) -> str:
    return f"<h2>{cut(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """Nothing where there is no text."""
    return f'<p class="{kind}">{cut(text, LONGEST_PARAGRAPH)}</p>' if text else ""


def paragraphs(texts: "Iterable[str]", kind: str = "") -> str:
    return "\n".join(paragraph(text, kind) for text in texts)


def cut(text: str, limit: int = 300) -> str:
    """Any text as HTML; of one that is longer, the whole is shown to whoever points at it."""
    if len(text) <= limit:
        return escape(text)
    return f'<span title="{escape(text)}">{escape(text[: limit - 1])}…</span>'


def wide(numbers: "Sequence[float]") -> bool:
    """Whether they are all positive and so far apart that a linear axis would hide the small ones."""
    return bool(numbers) and 0 < WIDE * min(numbers) <= max(numbers)


def _template(name: str, background: str) -> dict[str, Any]:
    import plotly.io

    template = plotly.io.templates[name].to_plotly_json()
    return {**template, "layout": {**template["layout"], "paper_bgcolor": background, "plot_bgcolor": background}}
