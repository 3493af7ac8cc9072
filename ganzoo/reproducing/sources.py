"""What a table's program is made of, read without running it: the files that decide on its numbers, and its --seed."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import decode_source
from pathlib import Path

from ganzoo.errors import InputError

PACKAGE = Path(__file__).parents[1]  # ganzoo's own folder


def sources_of(program: Path) -> list[Path]:
    """The program, then what it, or one of them, imports: files beside it, then modules of ganzoo.

    Raises:
        InputError: one of them is no Python.
    """
    found = {program: None}
    for path in (queue := [program]):
        for name in _imported(path):
            new = [each for each in _files(name, program.parent) if each not in found]
            found |= dict.fromkeys(new)
            queue += new
    others = found.keys() - {program}
    beside = {path for path in others if PACKAGE not in path.parents}
    return [program, *sorted(beside), *sorted(others - beside)]


def takes_seed(program: Path) -> bool:
    """Whether it adds an option --seed to a parser of its command line."""
    calls = (node for node in ast.walk(_tree(program)) if isinstance(node, ast.Call))
    return any(_is_option(call, "--seed") for call in calls)


def _is_option(call: ast.Call, name: str) -> bool:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return called == "add_argument" and any(isinstance(it, ast.Constant) and it.value == name for it in call.args)


def _files(module: str, beside: Path) -> list[Path]:
    """Those of a module that are read when it is imported: of ganzoo, its packages' __init__.py are."""
    first, *inner = module.split(".")
    if first != "ganzoo":
        return [path for path in [beside / f"{module}.py"] if path.is_file()]
    folders = [PACKAGE.joinpath(*inner[:count]) for count in range(len(inner) + 1)]
    candidates = [*(folder / "__init__.py" for folder in folders), folders[-1].with_suffix(".py")]
    return [path for path in candidates if path.is_file()]


@cache
def _imported_by_ganzoo(path: Path) -> tuple[str, ...]:
    return tuple(_names(_tree(path)))


def _imported(path: Path) -> tuple[str, ...]:
    """The names of modules that a file imports, wherever in it. ganzoo's own do not change while a command runs."""
    return _imported_by_ganzoo(path) if PACKAGE in path.parents else tuple(_names(_tree(path)))


def _names(node: ast.AST) -> Iterator[str]:
    """Of `from a import b` both a and a.b: b may be a module. What is imported for types alone does not run."""
    for_types = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    if isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    for child in node.orelse if isinstance(node, ast.If) and for_types else ast.iter_child_nodes(node):
        yield from _names(child)


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(decode_source(path.read_bytes()), filename=str(path))
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        raise InputError(path, f"{where}this is no Python: {error.msg}") from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, a null byte; nested too deep
        raise InputError(path, f"this is no Python: {error}") from None
