"""Plain values from YAML files and `key=value` overrides: safe-loaded, with every mistake named."""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ganzoo.errors import InputError, Problem, shorten

MOST_BYTES = 1_000_000  # an experiment is a page; a larger file is somebody's data
MOST_COPIED = 100_000  # values and characters that references may copy, so that ${a}${a} cannot double for ever
DEEPEST = 20  # levels of sections and lists, and of references; four are needed
MOST_BITS = 1024  # of a whole number: no float is larger, and Python refuses to print much longer ones
MARK = "\ue000{"  # a private-use character: no text has it
REFERENCE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")


def read_values(path: Path, overrides: Iterable[str] = (), found: list[Problem] | None = None) -> dict[str, Any]:
    """The mapping in a YAML file with overrides applied and `${other.key}` resolved.

    Problems of overrides and interpolations are appended to `found`; the key concerned is then left out.

    Raises:
        InputError: the file is missing or is no YAML mapping.
    """
    return varied(read_unresolved(path), overrides, [] if found is None else found)


def read_unresolved(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, every `${...}` as it stands there. Raises InputError as `read_values` does."""
    return _read_yaml(path)


def varied(values: Mapping[str, Any], overrides: Iterable[str], found: list[Problem]) -> dict[str, Any]:
    """Values as `read_unresolved` gives them, which stay as they are, with overrides applied and references resolved.

    Problems of overrides and interpolations are appended to `found`; the key concerned is then left out.
    """
    changed = deepcopy(dict(values))
    for override in overrides:
        if problem := _apply_override(changed, override):
            found.append(problem)
    return _resolve(changed, found)


def to_yaml(values: Mapping[str, Any]) -> str:
    """Plain values as a YAML text that `read_unresolved` reads back as they are, `${...}` included."""
    from omegaconf import OmegaConf

    return _unmarked(OmegaConf.to_yaml(OmegaConf.create(_marked(values))))


def flat_overrides(overrides: Iterable[str], found: list[Problem]) -> dict[str, Any]:
    """`key=value` words as a mapping, keys not split; problems are appended to `found`."""
    values: dict[str, Any] = {}
    for override in overrides:
        key, equals, text = override.partition("=")
        try:
            values[key] = _parse_value(text, source=key)
        except InputError as error:
            found.append(Problem(key, f"{shorten(text)} is not a value: {error.problems[0].text}"))
        if not equals:
            found.append(Problem(shorten(override), "must be written key=value"))
    return values


def _read_yaml(path: Path) -> dict[str, Any]:
    from omegaconf import OmegaConf

    text = _read_text(path)
    values = _parsed(lambda marked: OmegaConf.load(io.StringIO(marked)), text, source=path)
    if not isinstance(values, dict) or (text.strip() and not re.search(r"[:#]", text)):
        raise InputError(path, f"the file must hold `key: value` lines, not {shorten(text)}")
    return values


def _parse_value(text: str, *, source: object) -> Any:
    from omegaconf import OmegaConf

    return _parsed(lambda marked: OmegaConf.from_dotlist([f"x={marked}"]), text, source=source)["x"]


def _parsed(parse: Callable[[str], Any], text: str, *, source: object) -> Any:
    """A YAML text by OmegaConf's rules: safe tags, no duplicate keys, no alias bombs, 1e-4 is a number.

    `${` is hidden from OmegaConf, which would judge it without naming the key; `_resolve` follows it.
    """
    from omegaconf import OmegaConf

    try:
        return _unmarked(OmegaConf.to_container(parse(text.replace("${", MARK))))
    except RecursionError:
        raise InputError(source, f"this is nested deeper than {DEEPEST} levels") from None
    except Exception as error:  # yaml's and OmegaConf's many classes: all mean that the text is not readable
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        what = getattr(error, "problem", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(source, f"this is not valid YAML{where}: {what}") from None


def _marked(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {_marked(key): _marked(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_marked(part) for part in node]
    return node.replace("${", MARK) if isinstance(node, str) else node


def _unmarked(node: Any, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(node, dict):
        return {str(_unmarked(key)): _unmarked(value, depth + 1) for key, value in node.items()}
    if isinstance(node, list):
        return [_unmarked(part, depth + 1) for part in node]
    if isinstance(node, int) and node.bit_length() > MOST_BITS:
        raise ValueError(f"a number has more than {MOST_BITS} bits")
    return node.replace(MARK, "${") if isinstance(node, str) else node


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)  # and no more: /dev/zero has no size and no end
        if len(content) > MOST_BYTES:
            raise InputError(path, f"the file has more than {MOST_BYTES:,} bytes, the most that an experiment may have")
        return content.decode()
    except FileNotFoundError:
        raise InputError(path, f"there is no such file{_nearest_file(path)}") from None
    except UnicodeDecodeError:
        raise InputError(path, "the file is not UTF-8 text") from None
    except (OSError, ValueError) as error:  # a folder, no permission, a null byte or 10,000 characters in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(path, f"the file cannot be read: {reason}") from None


def _nearest_file(path: Path) -> str:
    folder = next((parent for parent in path.parents if parent.is_dir()), None)
    if folder is None:
        return ""
    names = [str(file.relative_to(folder)) for file in _yaml_files(folder)]
    near = get_close_matches(str(path.relative_to(folder)), names, n=1, cutoff=0.5)
    return f"; did you mean {folder / near[0]}?" if near else f" ({folder} has: {', '.join(names[:10]) or 'no .yaml'})"


def _yaml_files(folder: Path) -> list[Path]:
    """Some files in the folder and two levels below it; of the root, which has the whole machine below it, in it."""
    below = ("*.yaml",) if folder == Path(folder.anchor) else ("*.yaml", "*/*.yaml", "*/*/*.yaml")
    try:
        return sorted(islice(chain.from_iterable(folder.glob(pattern) for pattern in below), 1000))
    except OSError:  # a folder that may not be read
        return []


def _apply_override(values: dict[str, Any], override: str) -> Problem | None:
    """Sets the dotted key in `values`, making sections on the way; the problem if it cannot be.

    A key that begins with an underscore is several overrides in one, `_method={variant.n_critic: 5, ema: {...}}`: what
    a sweep varies together is one parameter there. No key of an experiment begins so.
    """
    key, equals, text = override.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        return Problem(shorten(override), "an override must be written key=value, with a dotted key")
    try:
        value = _parse_value(text, source=key)
    except InputError as error:
        return Problem(key, f"{shorten(text)} is not a value: {error.problems[0].text}")
    if not key.startswith("_"):
        return _set(values, key, value)
    if not isinstance(value, dict):
        return Problem(key, f"{shorten(value)} must be a section of keys: several overrides in one")
    problems = [_set(values, part, each) for part, each in value.items()]
    return next((problem for problem in problems if problem), None)


def _set(values: dict[str, Any], key: str, value: Any) -> Problem | None:
    parts = key.split(".")
    if not all(part.strip() for part in parts) or len(parts) > DEEPEST:
        return Problem(key, f"a key has dots between 1 to {DEEPEST} parts")
    section = values
    for part in parts[:-1]:
        if not isinstance(section.get(part), dict):
            section[part] = {}
        section = section[part]
    section[parts[-1]] = _merged(section.get(parts[-1]), value)
    return None


def _merged(old: Any, new: Any) -> Any:
    """What an override makes of a value: a section without a `name` changes the keys that it has, all else replaces.

    A section with a `name` chooses a component, and the keys of another one would not fit. W&B's agents hand over
    nested parameters as sections, and write what Python calls None.

    >>> _merged({"name": "adam", "lr": 0.1}, {"lr": 0.2})
    {'name': 'adam', 'lr': 0.2}
    >>> _merged({"name": "adam", "lr": 0.1}, {"name": "sgd"})
    {'name': 'sgd'}
    """
    if isinstance(new, dict):
        kept = old if isinstance(old, dict) and "name" not in new else {}
        return {**kept, **{key: _merged(kept.get(key), value) for key, value in new.items()}}
    if isinstance(new, list):
        return [_merged(None, part) for part in new]
    return None if new == "None" else new


def _resolve(values: dict[str, Any], found: list[Problem]) -> dict[str, Any]:
    """Every `${other.key}` replaced by that key's value.

    There are no resolvers: one such as ${oc.env:...} would put the environment, secrets included, into config.yaml
    and W&B.
    """
    return _References(values, found).resolved(values, "")


@dataclass
class _References:
    """Follows the references in `values`; those that lead nowhere become problems, and their keys are left out."""

    values: dict[str, Any]
    found: list[Problem]
    copies_left: int = MOST_COPIED

    def resolved(self, node: Any, at: str) -> Any:
        if isinstance(node, dict):
            made = {key: self.resolved(value, f"{at}.{key}" if at else str(key)) for key, value in node.items()}
            return {key: value for key, value in made.items() if value is not _LEFT_OUT}
        if isinstance(node, list):
            return [made for value in node if (made := self.resolved(value, at)) is not _LEFT_OUT]
        try:
            return self._followed(node, at, ())
        except LookupError as error:
            self.found.append(Problem(at, f"{shorten(node)} {error.args[0]}"))
            return _LEFT_OUT

    def _followed(self, node: Any, at: str, path: tuple[str, ...]) -> Any:
        """The node without references; `path`: the keys that led here."""
        if isinstance(node, dict):
            return {key: self._followed(value, f"{at}.{key}", path) for key, value in node.items()}
        if isinstance(node, list):
            return [self._followed(value, at, path) for value in node]
        if path:
            self._count_copy(node)
        if not isinstance(node, str) or "${" not in node:
            return node
        if "${" in REFERENCE.sub("", node):
            raise LookupError("must be of the form ${other.key}; nothing else is allowed between the braces")
        if whole := REFERENCE.fullmatch(node):
            return self._target(whole[1], at, path)
        return REFERENCE.sub(lambda match: str(self._target(match[1], at, path)), node)

    def _target(self, key: str, at: str, path: tuple[str, ...]) -> Any:
        if key in path or at == key or at.startswith(f"{key}."):
            raise LookupError("refers to itself")
        if len(path) == DEEPEST:
            raise LookupError(f"leads through more than {DEEPEST} references")
        node: Any = self.values
        for part in key.split("."):
            if not isinstance(node, dict) or part not in node:
                raise LookupError(f"refers to {shorten(key)}, and there is no such key")
            node = node[part]
        return self._followed(node, key, (*path, key))

    def _count_copy(self, node: Any) -> None:
        self.copies_left -= 1 + (len(node) if isinstance(node, str) else 0)
        if self.copies_left < 0:
            raise LookupError("makes the experiment too long: references are copied, and these multiply")


_LEFT_OUT = object()
