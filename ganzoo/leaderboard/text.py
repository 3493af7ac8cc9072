"""Board -> Markdown and LaTeX. Names and values are anybody's: in either they are text and nothing else."""

import re
from collections.abc import Sequence

from ganzoo.errors import visible
from ganzoo.leaderboard.board import Board, Table
from ganzoo.leaderboard.cells import LONGEST, READING, Cells, cells_of, shown_footnotes

UNREADABLE = "Not read, and in no table:"
NOTE = 2000  # characters of a note
ENTITIES = str.maketrans(
    {
        **{"&": "&amp;", "<": "&lt;", ">": "&gt;", "\\": "&#92;", "`": "&#96;", "|": "\\|"},
        **{"@": "&#64;", "#": "&#35;"},  # of an address, a person or an issue GitHub makes a link; # is a heading, too
    }
)
LINK = re.compile(r"\w+:(?=//)|www\.(?=\w)", re.IGNORECASE)


def markdown(board: Board, level: int = 2) -> str:
    """A heading, a table and its notes for every table; footnotes.

    Args:
        level: of the headings; 0: none, as in a text that has its own.
    """
    parts = [_paragraph(note) for note in board.notes]
    for table in board.tables:
        parts += _markdown_table(table, level)
    parts.append(READING if board.tables else "There are no runs.")
    if board.footnotes:
        parts += [UNREADABLE, "\n".join(f"- {_block(line)}" for line in shown_footnotes(board))]
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table, level: int) -> list[str]:
    cells = cells_of(table)
    title = markdown_text(cells.title)
    lines = [
        markdown_row(cells.columns),
        "|" + "|".join("---:" if number else "---" for number in cells.numbers) + "|",
        *(markdown_row(row) for row in cells.rows),
    ]
    heading = f"{'#' * level} {title}" if level else f"**{title}**"
    return [heading, "\n".join(lines), *(_paragraph(note) for note in table.notes)]


def markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(markdown_text, cells)) + " |"


def _paragraph(note: str) -> str:
    return _block(visible(note, limit=NOTE))


def _block(text: str) -> str:
    r"""A text that begins a line, where -, + and a number would make a list.

    >>> print(_block("- a"), _block("1. a"), _block("   -1.5"))
    \- a 1\. a \-1.5
    """
    return re.sub(r"^(\d*)([-+=]|(?<=\d)[.)])", r"\1\\\2", markdown_text(text.strip()))


def markdown_text(text: str) -> str:
    r"""The text, so that Markdown and HTML see nothing in it.

    >>> print(markdown_text("a|b <i> *x* feature_matching _y_ [z](u) $m$"))
    a\|b &lt;i&gt; \*x\* feature_matching \_y\_ \[z\](u) \$m\$
    """
    plain = visible(text, limit=NOTE).translate(ENTITIES)
    plain = re.sub(r"([*~$\[\]])", r"\\\1", plain)
    plain = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", plain)  # within a word it is only itself
    return LINK.sub(lambda found: f"{found[0][:-1]}&#{ord(found[0][-1])};", plain)


def latex(board: Board) -> str:
    """A table environment for every table: for \\usepackage{booktabs}."""
    parts = [
        "% Written by `ganzoo leaderboard`. In the preamble: \\usepackage[T1]{fontenc} \\usepackage{booktabs}",
        *(f"% {_comment(note)}" for note in board.notes),
        *(_latex_table(table) for table in board.tables),
    ]
    if board.footnotes:
        parts += [f"% {UNREADABLE}", *(f"% {_comment(line)}" for line in shown_footnotes(board))]
    return "\n".join(parts) + "\n"


def _latex_table(table: Table) -> str:
    cells = cells_of(table)
    notes = " ".join(visible(note, limit=NOTE) for note in table.notes)
    rows = [_latex_row(row) for row in cells.rows]
    if table.floor and len(rows) > 1:
        rows.insert(len(rows) - 1, "\\midrule")
    return "\n".join(
        [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{latex_text(f'{cells.title}. {READING} {notes}'.strip(), limit=4 * NOTE)}}}",
            f"\\begin{{tabular}}{{{_alignment(cells)}}}",
            "\\toprule",
            _latex_row(cells.columns),
            "\\midrule",
            *rows,
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
        ]
    )


def _alignment(cells: Cells) -> str:
    return "".join("r" if number else "l" for number in cells.numbers)


def _latex_row(row: Sequence[str]) -> str:
    return " & ".join(latex_text(cell, limit=LONGEST + 50) for cell in row) + " \\\\"


SPECIALS = {
    "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "%": "\\%", "_": "\\_",
    "^": "\\textasciicircum{}", "~": "\\textasciitilde{}", "<": "\\textless{}", ">": "\\textgreater{}",
    "|": "\\textbar{}", '"': "\\textquotedbl{}", "'": "\\textquotesingle{}", "`": "\\textasciigrave{}",
    "[": "{[}", "]": "{]}", "±": "$\\pm$", "↓": "$\\downarrow$", "↑": "$\\uparrow$", "–": "--", "…": "\\ldots{}",
}  # fmt: skip


def latex_text(text: str, limit: int = NOTE) -> str:
    """The text, so that LaTeX sees nothing in it. What few fonts have is told by its number."""
    return "".join(map(_latex_char, visible(text, limit=limit)))


def _latex_char(char: str) -> str:
    if char in SPECIALS:
        return SPECIALS[char]
    return char if ord(char) < 0x180 and char.isprintable() else f"{{[}}U+{ord(char):04X}{{]}}"


def _comment(text: str) -> str:
    """A comment ends with its line, and a text without line ends cannot end it."""
    return visible(text, limit=NOTE)
