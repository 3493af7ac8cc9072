"""Finds a component by its name, and reads what its file declares without running the rest of the file.

A variant is the module `ganzoo.variants.<name>`, a network `ganzoo.networks.<name>`, a data set
`ganzoo.data.<name>`; a plugin is a package laid out the same way. There is no registry: the file is the entry.

Those files import torch, which takes seconds, and a misspelled key must be answered at once. So `declared` parses
the file and runs just the statements that its configuration class needs.
"""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ganzoo.config import Settings, fields_of
from ganzoo.errors import did_you_mean


@dataclass(frozen=True)
class Modules:
    """Components that are modules of a folder: `name` -> the class `class_name` of `<root>.<folder>.<name>`."""

    kind: str  # as people call it: "variant"
    folder: str  # below ganzoo and below every plugin
    class_name: str

    def names(self, plugins: tuple[str, ...] = ()) -> list[str]:
        return sorted({name for root in _roots(plugins) for name in _names_in(root, self.folder, self.class_name)})

    def find(self, name: str, plugins: tuple[str, ...] = ()) -> type[Settings]:
        for root in _roots(plugins):
            if name in _names_in(root, self.folder, self.class_name):
                return declared(f"{root}.{self.folder}.{name}", self.class_name)
        raise LookupError(did_you_mean(name, self.names(plugins), self.kind))

    def name_of(self, settings: Settings) -> str:
        return type(settings).__module__.rpartition(".")[2]

    def summary(self, name: str, plugins: tuple[str, ...] = ()) -> str:
        """The first line of the module's docstring: what it is and its paper."""
        module = self.find(name, plugins).__module__
        docstring = ast.get_docstring(_parsed(_source_file(module))) or ""
        return docstring.partition("\n")[0]


@dataclass(frozen=True)
class Classes:
    """Components that are classes of one module, by the names given here."""

    kind: str
    classes: dict[str, type[Settings]]

    def names(self, plugins: tuple[str, ...] = ()) -> list[str]:
        return sorted(self.classes)

    def find(self, name: str, plugins: tuple[str, ...] = ()) -> type[Settings]:
        if name in self.classes:
            return self.classes[name]
        raise LookupError(did_you_mean(name, self.names(), self.kind))

    def name_of(self, settings: Settings) -> str:
        return next(name for name, cls in self.classes.items() if type(settings).__name__ == cls.__name__)


VARIANTS = Modules("variant", "variants", "Config")
DATASETS = Modules("data set", "data", "Config")
GENERATORS = Modules("generator network", "networks", "GeneratorConfig")
DISCRIMINATORS = Modules("discriminator network", "networks", "DiscriminatorConfig")


def _roots(plugins: tuple[str, ...]) -> Iterator[str]:
    """The packages to look in: ganzoo, the plugins named, and last, since to ask takes 50 ms, the installed ones."""
    yield from ("ganzoo", *plugins)
    yield from (plugin for plugin in _installed_plugins() if plugin not in plugins)


@cache
def _installed_plugins() -> tuple[str, ...]:
    from importlib.metadata import entry_points

    return tuple(point.value for point in entry_points(group="ganzoo.plugins"))


def implementation(settings: Settings) -> tuple[ModuleType, Any]:
    """The module that `settings` configures, imported, and the settings as its own class."""
    module = importlib.import_module(type(settings).__module__)
    cls = getattr(module, type(settings).__name__)
    return module, cls(**{field.name: getattr(settings, field.name) for field in fields_of(type(settings))})


def declared(module_name: str, class_name: str) -> type[Settings]:
    """The class of that name in the module, without importing the module if it is not imported yet."""
    if module_name in sys.modules:
        return getattr(sys.modules[module_name], class_name)
    return _run_needed(module_name, class_name)


@cache
def _run_needed(module_name: str, class_name: str) -> type[Settings]:
    """Runs the statements of the module that the class is made of, and no others."""
    path = _source_file(module_name)
    tree = _parsed(path)
    needed = _needed_statements(tree, class_name)
    namespace = {"__name__": module_name, "__file__": str(path)}
    exec(compile(ast.Module(body=needed, type_ignores=[]), str(path), "exec"), namespace)
    return namespace[class_name]  # type: ignore[return-value]


def _needed_statements(tree: ast.Module, name: str) -> list[ast.stmt]:
    """The top-level statements that bind `name` and, in turn, every name that those use, in file order."""
    binders = {bound: statement for statement in tree.body for bound in _names_bound(statement)}
    needed: dict[str, ast.stmt] = {}
    queue = [name]
    while queue:
        wanted = queue.pop()
        if wanted in binders and wanted not in needed:
            needed[wanted] = _narrowed(binders[wanted], wanted)
            queue += [node.id for node in ast.walk(needed[wanted]) if isinstance(node, ast.Name)]
    return sorted(needed.values(), key=lambda statement: statement.lineno)


def _names_bound(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _narrowed(statement: ast.stmt, name: str) -> ast.stmt:
    """An import of the one name out of an import of many; any other statement as it is."""
    if isinstance(statement, ast.ImportFrom):
        only = [alias for alias in statement.names if (alias.asname or alias.name) == name]
        narrowed = ast.ImportFrom(module=statement.module, names=only, level=statement.level)
        return ast.copy_location(narrowed, statement)
    return statement


@cache
def _names_in(root: str, folder: str, class_name: str) -> tuple[str, ...]:
    """The modules of the folder that declare the class."""
    try:
        spec = importlib.util.find_spec(f"{root}.{folder}")
    except ModuleNotFoundError:
        return ()
    files = [file for place in (spec and spec.submodule_search_locations) or () for file in Path(place).glob("*.py")]
    return tuple(file.stem for file in files if any(class_name in _names_bound(node) for node in _parsed(file).body))


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


def _source_file(module_name: str) -> Path:
    spec = importlib.util.find_spec(module_name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named {module_name!r}")
    return Path(spec.origin)
