"""Weights for networks whose own cannot be had in a test."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor


def random_weights(shapes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of such shapes under which activations keep their size from layer to layer."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, like in shapes.items():
        values = torch.randn(like.shape, generator=generator) if like.is_floating_point() else torch.zeros(like.shape)
        if like.ndim > 1:
            values *= (2 / like[0].numel()) ** 0.5
        elif name.endswith(("running_var", ".weight")):
            values = 1 + 0.2 * values.tanh()
        else:
            values *= 0.1
        found[name] = values.to(like.dtype)
    return found


def write_inception(path: Path) -> None:
    """A file of weights in the format of torch-fidelity's Inception v3: 100 MB."""
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    network = theirs.FeatureExtractorInceptionV3
    with pytest.MonkeyPatch.context() as patch:  # its constructor always loads something
        patch.setattr(network, "load_state_dict", lambda *_: None)
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: None)
        like = network("inception-v3-compat", ["2048"]).state_dict()
    torch.save(random_weights(like), path)
