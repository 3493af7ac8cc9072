"""Scores as tables for a terminal, with what makes them comparable (no torch here)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Answer = Mapping[str, Any]  # of `evaluate`
Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]  # title, columns, rows


def tables(answers: Sequence[Answer]) -> Iterator[Table]:
    """The scores, side by side where there are several protocols, and how they were made."""
    if len(answers) == 1:
        yield _one(answers[0])
    else:
        yield _beside(answers)
    columns = ("", *(answer["protocol"]["name"] for answer in answers))
    facts = [_facts(answer) for answer in answers]
    shown = [name for name in _names(facts) if any(fact[name] for fact in facts)]
    yield "how they were made", columns, [(name, *(fact[name] for fact in facts)) for name in shown]


def _one(answer: Answer) -> Table:
    title = f"{answer['source']}: {answer['protocol']['name']} against {_reference(answer)}"
    rows: list[tuple[str, ...]] = [
        (name, f"{value:.5g}", _floor(answer, name), _interval(answer, name)) for name, value in _scores(answer)
    ]
    return title, ("score", "value", "floor", "95 % interval"), rows


def _beside(answers: Sequence[Answer]) -> Table:
    """A row a score; a cell is the value, with the floor in brackets."""
    columns = ("score", *(answer["protocol"]["name"] for answer in answers))
    rows = []
    for name in _names([answer["scores"] for answer in answers]):
        rows.append((name, *(_cell(answer, name) for answer in answers)))
    return f"{answers[0]['source']}: values (floors)", columns, rows


def _cell(answer: Answer, name: str) -> str:
    if name not in answer["scores"]:
        return ""
    floor = _floor(answer, name)
    return f"{answer['scores'][name]:.5g}" + (f" ({floor})" if floor else "")


def _scores(answer: Answer) -> list[tuple[str, float]]:
    return list(answer["scores"].items())


def _floor(answer: Answer, name: str) -> str:
    return f"{answer['floor'][name]:.5g}" if name in answer["floor"] else ""


def _interval(answer: Answer, name: str) -> str:
    interval = answer["intervals"].get(name)
    return f"{interval['low']:.5g} to {interval['high']:.5g} ({interval['how']})" if interval else ""


def _reference(answer: Answer) -> str:
    reference = answer["reference"]
    return str(reference.get("name") or reference["path"])


def _facts(answer: Answer) -> dict[str, str]:
    """What the scores depend on, in words."""
    protocol, reference = answer["protocol"], answer["reference"]
    named = "name" in reference
    extractor = answer["extractor"]["name"]
    digest, accuracy = (answer["extractor"].get(key) for key in ("weights_sha256", "heldout_accuracy"))
    return {
        "reference": f"{_reference(answer)}, {protocol['split']} split" if named else _reference(answer),
        "real samples": f"{reference['count']:,}" if "count" in reference else reference.get("holds", "not looked at"),
        "fakes": f"{protocol['num_fake']:,}, {'rounded to uint8' if protocol['quantise'] else 'not rounded'}",
        "extractor": f"{extractor}, weights {digest[:16]}" if digest else extractor,
        "classifier": f"{accuracy:.2%} of held-out {answer['extractor']['data']}" if accuracy else "",
        "resize": protocol["resize"] if digest else "",
        "seed": str(protocol["seed"]),
    }


def _names(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every key, in the order of its first appearance."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))
