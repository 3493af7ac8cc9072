"""Any image to square uint8 pixels of one resolution and one number of channels, once, when a data set is loaded."""

from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from PIL.Image import Resampling
from torch import Tensor

from ganzoo.data.working import in_threads
from ganzoo.shapes import Pixels

Fitted = UInt8[Tensor, "n {channels} {resolution} {resolution}"]  # the arguments of those names

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not EPS: to open one runs a PostScript program
MODES = {1: "L", 3: "RGB"}  # Pillow's name for that many channels
GREY = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"))  # Pillow's names for what has no colours
SMALLEST_SIDE = 2  # pixels; a smaller image has nothing to resize


class UnusableImage(ValueError):
    """An image that is sound and still cannot be used; the message says why."""


def fit_pixels(pixels: Pixels, resolution: int, channels: int) -> Fitted:
    """Square pixels (n, c, h, h) as (n, channels, resolution, resolution); as they are where they fit already."""
    if pixels.shape[1:] == (channels, resolution, resolution):
        return pixels
    arrays = pixels.permute(0, 2, 3, 1).squeeze(3).contiguous().numpy()  # Pillow's layout: (h, w) or (h, w, 3)
    fitted = _empty(len(pixels), resolution, channels)

    def fit(index: int) -> None:
        image = Image.fromarray(arrays[index]).convert(MODES[channels])
        fitted[index] = _planes(resize(image, resolution))

    in_threads(fit, len(pixels), "resizing images")
    return torch.from_numpy(fitted)


def decode(
    read: Callable[[int], bytes], names: Sequence[str], resolution: int, channels: int, crop: bool = True
) -> tuple[Fitted, dict[str, str]]:
    """Decodes the files `read(0)`, `read(1)`, ...: pixels, and what is wrong with each file that failed, by its name.

    An image that is no square is cut to its centre (`crop`) or squeezed. The pixels of a file that failed are
    undefined: refuse the data when there is one.
    """
    pixels, wrong = _empty(len(names), resolution, channels), {}
    Image.init()  # the format drivers: loaded here, and not by whichever thread is first

    def decode_one(index: int) -> None:
        try:
            image = open_image(read(index), channels)
            square = centre_square(image) if crop else image
            pixels[index] = _planes(resize(square, resolution))
        except (
            Exception
        ) as error:  # a broken file makes Pillow raise nearly anything: OSError, SyntaxError, KeyError...
            wrong[names[index]] = reason_of(error)

    in_threads(decode_one, len(names), "decoding images")
    return torch.from_numpy(pixels), {name: wrong[name] for name in names if name in wrong}


def native_planes(encoded: bytes) -> np.ndarray:
    """The image of an encoded file at its own size: uint8 (1, h, w) where the file is grey, else (3, h, w).

    As `open_image` reads it, and with its errors. A palette counts as colours, whichever those are.
    """
    return _planes(open_image(encoded, channels=None))


def open_image(encoded: bytes, channels: int | None) -> Image.Image:
    """The (first) image of an encoded file, upright, opaque, 8 bits a channel, grey ("L") or RGB; None: as it is.

    The EXIF orientation is applied. Transparent parts are laid on white, as a page would show them. Of 16 bits the
    upper 8 are kept, which is what Pillow itself does with 16-bit RGB. An animation gives its first frame. Colours
    become grey by ITU-R 601-2 luma. Raises UnusableImage, or whatever Pillow raises for a broken file.
    """
    with Image.open(BytesIO(encoded), formats=FORMATS) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if min(image.size) < SMALLEST_SIDE:
            raise UnusableImage(f"{image.width}x{image.height} pixels; the smallest side must be {SMALLEST_SIDE}")
        mode = MODES[channels or (1 if image.mode in GREY else 3)]
        return _opaque(_eight_bits(image)).convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise UnusableImage("its pixels are floating-point numbers, whose black and white are unknown")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image)  # "I" holds 16 bits in 32 (PGM), or truly 32 bits (TIFF)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise UnusableImage("its pixels have more than 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


def centre_square(image: Image.Image) -> Image.Image:
    """The largest square in the middle; where a pixel is left over, it is cut at the right or the bottom."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image if image.width == image.height else image.crop((left, top, left + side, top + side))


def resize(image: Image.Image, resolution: int) -> Image.Image:
    """An "L" or "RGB" image as resolution x resolution.

    Lanczos shrinks: it keeps the most detail without aliasing. Bicubic enlarges: there the wider Lanczos kernel
    would add halos beside every edge, which a generator would learn.
    """
    if image.size == (resolution, resolution):
        return image
    shrinks = max(image.size) > resolution
    return image.resize((resolution, resolution), Resampling.LANCZOS if shrinks else Resampling.BICUBIC)


def _empty(count: int, resolution: int, channels: int) -> np.ndarray:
    return np.empty((count, channels, resolution, resolution), dtype=np.uint8)


def _planes(image: Image.Image) -> np.ndarray:
    """(channels, h, w) out of Pillow's (h, w) or (h, w, 3)."""
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def reason_of(error: Exception) -> str:
    """What is wrong with a file that could not be read or decoded."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image that can be decoded"  # Pillow would name a BytesIO and its address
    return str(error) or type(error).__name__
