"""Loads a split of the images that a `FilesConfig` names."""

from collections.abc import Callable, Sequence

import torch

from ganzoo.data.base import Split
from ganzoo.data.files import FilesConfig, Listing, complain, held_out
from ganzoo.data.images import decode
from ganzoo.data.samples import Samples
from ganzoo.errors import InputError


def load_split(config: FilesConfig, split: Split, listing_of: Callable[[str], Listing]) -> Samples:
    """uint8 (n, channels, resolution, resolution), labels and class names as `listing_of(config.path)` has them.

    Raises InputError for whatever is wrong with the files; all images that cannot be used are named in one.
    """
    if sentence := config.missing():
        raise InputError("data", sentence)
    path, listing = config.path, listing_of(config.path)
    if config.heldout_path is None:
        listing = _part(config, split, listing)
    elif split == "heldout":
        path, listing = config.heldout_path, _relabelled(config, listing_of(config.heldout_path), listing.class_names)
    names = listing.names

    def read(index: int) -> bytes:
        return listing.files.read(names[index])

    values, wrong = decode(read, names, config.resolution, config.channels, crop=config.crop == "centre")
    if wrong:
        complaints = [f"{name}: {reason}" for name, reason in wrong.items()]
        raise complain(path, f"{len(wrong):,} of {len(names):,} images cannot be used", complaints)
    return Samples(values, torch.tensor(listing.labels, dtype=torch.int64), listing.class_names)


def _part(config: FilesConfig, split: Split, listing: Listing) -> Listing:
    if len(listing.names) < 2:
        raise InputError(config.path, "has a single image, of which no part can be held out; name a data.heldout_path")
    chosen = [out == (split == "heldout") for out in held_out(listing.names, config.heldout)]
    return Listing(listing.files, _where(listing.names, chosen), _where(listing.labels, chosen), listing.class_names)


def _relabelled(config: FilesConfig, heldout: Listing, class_names: tuple[str, ...]) -> Listing:
    """The held-out images with the class indices of the train images."""
    unknown = [name for name in heldout.class_names if name not in class_names]
    if unknown or bool(heldout.class_names) != bool(class_names):
        have, need = (", ".join(names[:10]) or "none" for names in (heldout.class_names, class_names))
        raise InputError(config.heldout_path, f"its classes are not those of {config.path}: {have}; there: {need}")
    index = [class_names.index(name) for name in heldout.class_names]
    labels = tuple(index[label] for label in heldout.labels) if index else heldout.labels
    return Listing(heldout.files, heldout.names, labels, class_names)


def _where(values: Sequence, chosen: Sequence[bool]) -> tuple:
    return tuple(value for value, keep in zip(values, chosen, strict=True) if keep)
