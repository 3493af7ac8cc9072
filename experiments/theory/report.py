"""What the experiments on theory share: their command line, their figures' look, and the files that they write."""

import argparse
import json
import math
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, RED, GREEN, ORANGE, GREY = "#3366a6", "#cc3f4f", "#2a8a4a", "#d98a1f", "#8a8a8a"
LOOK = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 125,
}


def command(description: str | None) -> argparse.ArgumentParser:
    """A parser with --out; the module's docstring, whose second paragraph is an example, is the help."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the figure and the numbers")
    return parser


def pyplot() -> Any:
    """matplotlib.pyplot, drawing into files; without matplotlib one sentence says how to get it."""
    try:
        import matplotlib
    except ImportError:
        print("the figure needs matplotlib: pip install matplotlib (ganzoo's extra `plots`)", file=sys.stderr)
        raise SystemExit(2) from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(LOOK)
    return pyplot


def mark_panels(axes: Iterable[Any]) -> None:
    """Titles begin with (a), (b), ... and stand at the left."""
    for letter, panel in zip("abcdefghi", axes, strict=False):
        panel.set_title(f"({letter}) {panel.get_title()}", loc="left")
        panel.set_title("")


def for_json(value: Any) -> Any:
    """JSON has no infinity: it becomes the string inf; complex numbers become pairs."""
    if isinstance(value, Mapping):
        return {str(key): for_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [for_json(item) for item in value]
    if isinstance(value, complex):
        return [value.real, value.imag]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def write(out: Path, name: str, settings: Mapping[str, Any], results: Any, figures: Mapping[str, "Figure"]) -> None:
    """NAME.json with the numbers and how they were made, and a PNG for each figure; prints where they are."""
    out.mkdir(parents=True, exist_ok=True)
    versions = {"python": platform.python_version()} | {it: version(it) for it in ("torch", "numpy", "matplotlib")}
    record = {"settings": settings, "versions": versions, "results": results}
    (out / f"{name}.json").write_text(json.dumps(for_json(record), indent=1, allow_nan=False) + "\n")
    for figure_name, figure in figures.items():
        save_small(figure, out / f"{figure_name}.png")
    print(f"\nwritten to {out}: {', '.join([f'{name}.json', *(f'{it}.png' for it in figures)])}")


def save_small(figure: "Figure", path: Path) -> None:
    """A PNG of 128 colours: a quarter of the size, and line drawings look the same."""
    from PIL import Image

    figure.savefig(path)
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table in Markdown, which docs/theory.md repeats."""
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
