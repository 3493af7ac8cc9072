"""BatchNorm for images and for feature vectors alike."""

from torch import Tensor, nn


class BatchNorm(nn.BatchNorm2d):
    """Normalises channels of images (n, c, h, w) or of vectors (n, c) (Ioffe & Szegedy 2015, arXiv:1502.03167).

    torch has one class for each; a norm that goes into any network is for both.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in (2, 4):
            raise ValueError(f"BatchNorm takes (n, c, h, w) or (n, c), not {tuple(input.shape)}")
