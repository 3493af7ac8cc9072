"""Decoding and resizing: what becomes of one image of every kind."""

from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ganzoo.data.images import UnusableImage, centre_square, decode, fit_pixels, open_image
from ganzoo.data.working import CHUNK

RED = (255, 0, 0)


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def colour_of(image: Image.Image) -> tuple[int, ...]:
    """The one colour of an image."""
    pixels = np.asarray(image).reshape(-1, len(image.getbands()))
    assert (pixels == pixels[0]).all()
    return tuple(pixels[0].tolist())


def palette() -> Image.Image:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, *RED])
    return image


def test_grey_becomes_rgb_and_rgb_becomes_luma():
    assert colour_of(open_image(encoded(Image.new("L", (4, 4), 70)), 3)) == (70, 70, 70)
    assert colour_of(open_image(encoded(Image.new("RGB", (4, 4), RED)), 1)) == (76,)  # .299 * 255


@pytest.mark.parametrize(
    ("alpha", "colour"), [(255, RED), (0, (255, 255, 255)), (128, (255, 127, 127))], ids=["opaque", "clear", "half"]
)
def test_transparency_is_laid_on_white(alpha, colour):
    assert colour_of(open_image(encoded(Image.new("RGBA", (4, 4), (*RED, alpha))), 3)) == colour


def test_palettes_are_looked_up():
    assert colour_of(open_image(encoded(palette()), 3)) == RED
    assert colour_of(open_image(encoded(palette(), transparency=1), 3)) == (255, 255, 255)


def test_bitmaps_are_black_and_white():
    assert colour_of(open_image(encoded(Image.new("1", (4, 4), 1)), 1)) == (255,)


@pytest.mark.parametrize(("value", "byte"), [(0, 0), (0x1234, 0x12), (0xFFFF, 255)])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_of_16_bits_the_upper_8_stay(value, byte, format):
    image = Image.fromarray(np.full((4, 4), value, np.uint16))
    assert colour_of(open_image(encoded(image, format), 1)) == (byte,)
    assert colour_of(open_image(encoded(image, format), 3)) == (byte,) * 3


def test_cmyk_becomes_rgb():
    (red, green, blue) = colour_of(open_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), 3))
    assert red > 250 and green < 5 and blue < 5


def test_exif_orientation_turns_the_image_upright():
    image, exif = Image.new("RGB", (8, 4)), Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    assert open_image(encoded(image, "JPEG", exif=exif), 3).size == (4, 8)


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, (0, 0, 255))]
    assert colour_of(open_image(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), 3)) == RED


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image.new("L", (1, 5)), "1x5 pixels"),
        (Image.fromarray(np.full((4, 4), 0.5, np.float32)), "floating-point"),
        (Image.fromarray(np.full((4, 4), 1 << 20, np.int32)), "more than 16 bits"),
    ],
)
def test_unusable_images_say_why(image, reason):
    with pytest.raises(UnusableImage, match=reason):
        open_image(encoded(image, "TIFF"), 1)


def test_postscript_is_no_image():
    with pytest.raises(Image.UnidentifiedImageError):
        open_image(encoded(Image.new("RGB", (4, 4)), "EPS"), 3)


def test_the_centre_is_kept():
    wide = Image.fromarray(np.tile(np.arange(7, dtype=np.uint8), (4, 1)))
    assert np.asarray(centre_square(wide))[0].tolist() == [1, 2, 3, 4]


def test_decode_crops_or_stretches():
    stripes = Image.fromarray(np.repeat(np.uint8([0, 200, 200, 0]), 4)[None].repeat(8, 0))
    files = [encoded(stripes)]
    cut, _ = decode(files.__getitem__, ["a"], 8, 1, crop=True)
    squeezed, _ = decode(files.__getitem__, ["a"], 8, 1, crop=False)
    assert cut.unique().tolist() == [200]
    assert squeezed[0, 0, 0, [0, 3, 4, 7]].tolist() == pytest.approx([0, 200, 200, 0], abs=25)


def test_decode_names_the_files_that_failed_in_order():
    whole = encoded(Image.effect_noise((32, 32), 50), "JPEG")
    files = [whole, whole[: len(whole) // 2], b"nothing", b"", whole]
    pixels, wrong = decode(files.__getitem__, list("abcde"), 16, 3)
    assert list(wrong) == ["b", "c", "d"]
    assert "truncated" in wrong["b"]
    assert wrong["c"] == "not an image that can be decoded"
    assert torch.equal(pixels[0], pixels[4])


def test_decompression_bombs_are_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    _, wrong = decode(lambda _: encoded(Image.new("L", (64, 64))), ["bomb.png"], 8, 1)
    assert "exceeds limit" in wrong["bomb.png"]


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(0, 3),
    native=st.integers(2, 40),
    resolution=st.integers(4, 40),
    channels=st.sampled_from([(1, 1), (1, 3), (3, 3), (3, 1)]),
    level=st.integers(0, 255),
)
def test_resizing_keeps_constant_images_constant(n, native, resolution, channels, level):
    before, after = channels
    fitted = fit_pixels(torch.full((n, before, native, native), level, dtype=torch.uint8), resolution, after)
    assert fitted.shape == (n, after, resolution, resolution)
    assert fitted.dtype == torch.uint8
    assert (fitted == level).all()


def test_resizing_keeps_order_over_many_chunks():
    count = 2 * CHUNK + 1
    levels = torch.arange(count).remainder(256).to(torch.uint8)
    fitted = fit_pixels(levels[:, None, None, None].expand(-1, 1, 4, 4), 8, 1)
    assert torch.equal(fitted[:, 0, 3, 3], levels)


def test_images_that_fit_are_not_copied():
    pixels = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    assert fit_pixels(pixels, 8, 3) is pixels


def test_enlarging_adds_no_halo_where_lanczos_would():
    """Beside a step, bicubic overshoots once and Lanczos rings on: two pixels away the bicubic image is flat."""
    step = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    step[..., 8:] = 128
    row = fit_pixels(step, 64, 1)[0, 0, 32].tolist()
    assert set(row[: 32 - 8]) == {0}
    assert set(row[32 + 8 :]) == {128}
