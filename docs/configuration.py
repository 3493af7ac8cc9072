"""Writes docs/configuration.md out of the settings themselves: python docs/configuration.py"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

from ganzoo.components import Modules
from ganzoo.config import Bounds, Settings, describe, fields_of
from ganzoo.experiment import Experiment
from ganzoo.training.optimizers import OPTIMIZERS

HEAD = """# Every key of an experiment

Written by `python docs/configuration.py` from the settings themselves; a test compares them.
`ganzoo train FILE --print-config` prints a file with all its defaults. `${other.key}` takes another key's value.
"""


def page() -> str:
    return "\n".join([HEAD, *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    hints = get_type_hints(Experiment)
    top = [field for field in fields_of(Experiment) if not _is_section(hints[field.name])]
    yield from _table("The experiment", Experiment, {field.name for field in top})
    for field in fields_of(Experiment):
        if field.name == "optimizer":
            for name in OPTIMIZERS.names():
                yield from _table(f"optimizer.generator, optimizer.discriminator: {name}", OPTIMIZERS.find(name))
        elif choice := field.metadata.get("choice"):
            yield from _chosen(field.name, choice)
        elif _is_section(hints[field.name]):
            yield from _table(field.name, hints[field.name])


def _chosen(section: str, choice: Modules) -> Iterator[str]:
    for name in choice.names():
        yield from _table(f"{section}: {name}", choice.find(name), summary=choice.summary(name))


def _is_section(declared: object) -> bool:
    return isinstance(declared, type) and issubclass(declared, Settings)


def _table(title: str, cls: type[Settings], only: set[str] | None = None, summary: str = "") -> Iterator[str]:
    yield f"## {title}\n"
    if summary:
        yield f"{summary}\n"
    yield "| key | default | what | allowed |\n|---|---|---|---|"
    hints = get_type_hints(cls)
    for field in fields_of(cls):
        if only is None or field.name in only:
            what = field.metadata.get("help", "").replace("|", "\\|")
            yield f"| `{field.name}` | {_default(field)} | {what} | {_allowed(field, hints[field.name])} |"
    yield ""


def _default(field: dataclasses.Field) -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    value = field.default
    if value is None or isinstance(value, bool):
        return f"`{ {None: 'null', True: 'true', False: 'false'}[value] }`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _allowed(field: dataclasses.Field, declared: object) -> str:
    bounds = field.metadata.get("bounds", Bounds())
    limits = "" if bounds == Bounds() else f", {bounds}"
    return describe(declared) + limits


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page())
