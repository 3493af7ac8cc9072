"""The last sample grids of many groups, small enough to be in a page."""

import base64
import io
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ganzoo.leaderboard.board import Group, Run
from ganzoo.records.run_files import names_in, open_regular

MOST_GRIDS = 64
MOST_BYTES = 8_000_000  # of all grids together
MOST_OF_ONE = 50_000_000
SMALL_BYTES = 200_000  # a file up to that size is taken as it is
SIDE = 640  # pixels to which a larger one is reduced


@dataclass(frozen=True)
class Grid:
    """A picture as a data: URI, and the run that it is of."""

    group: Group
    run: Run
    generator_updates: int
    uri: str
    width: int


def grids_of(groups: Sequence[Group]) -> tuple[list[Grid], str]:
    """The last grid of one run of each group, of the same seed wherever there is one; and what was left out, in words.

    Runs of the same seed, latent dimension and distribution have drawn the same latents.
    """
    having = [(group, runs) for group in groups[:MOST_GRIDS] if (runs := _with_samples(group))]
    seeds = Counter(seed for _, runs in having for seed in {run.seed for run in runs})
    common = max(seeds, key=lambda seed: (seeds[seed], -seed), default=0)
    grids, size, unreadable = [], 0, 0
    for group, runs in having:
        run = min(runs, key=lambda run: (run.seed != common, run.seed))
        grid = _grid(group, run)
        unreadable += grid is None
        if grid is not None and size + len(grid.uri) <= MOST_BYTES:
            size += len(grid.uri)
            grids.append(grid)
    return grids, _left_out(len(groups), len(having), len(grids), unreadable)


def _left_out(groups: int, having: int, shown: int, unreadable: int) -> str:
    """Why there are fewer pictures than groups; empty where there are not."""
    beyond = max(groups - MOST_GRIDS, 0)
    reasons = [
        (beyond, f"only the first {MOST_GRIDS} groups are shown"),
        (min(groups, MOST_GRIDS) - having, "no samples in their run directories"),
        (unreadable, "pictures that cannot be read"),
        (having - shown - unreadable, f"the page would be larger than {MOST_BYTES // 1_000_000} MB"),
    ]
    told = [f"{count:,}: {reason}" for count, reason in reasons if count]
    return f"Left out of {groups:,} groups ({'; '.join(told)})." if told else ""


def _with_samples(group: Group) -> list[Run]:
    """Of the finished runs if one of them has samples; what the others have become is better than nothing."""
    for runs in (group.counted, group.runs):
        if there := [run for run in runs if run.path is not None and _last_samples(run) is not None]:
            return there
    return []


def _last_samples(run: Run) -> tuple[int, str] | None:
    """The last picture: the generator updates that it is named by, and its name."""
    assert run.path is not None
    names = [name for name in names_in(run.path / "samples") if name.endswith(".png")]
    return max(((int(name[:-4]), name) for name in names if name[:-4].isdecimal()), default=None)


def _grid(group: Group, run: Run) -> Grid | None:
    last = _last_samples(run)
    if run.path is None or last is None:
        return None
    try:
        with open_regular(run.path / "samples" / last[1], MOST_OF_ONE) as file:
            return Grid(group, run, last[0], *_embedded(file.read()))
    except Exception:  # Pillow raises whatever it stumbles over in a picture that is none
        return None


def _embedded(content: bytes) -> tuple[str, int]:
    """The data: URI of the picture itself, or where it is large of a smaller one; and how wide that is."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        picture = Image.open(io.BytesIO(content), formats=("PNG",))
    if len(content) <= SMALL_BYTES:
        picture.verify()
        return f"data:image/png;base64,{base64.b64encode(content).decode()}", picture.width
    smaller = io.BytesIO()
    reduced = picture.convert("RGB")
    reduced.thumbnail((SIDE, SIDE))
    reduced.save(smaller, format="JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(smaller.getvalue()).decode()}", reduced.width
