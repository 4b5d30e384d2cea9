import numpy as np
import pytest
from PIL import Image

from usmicro.loading.picture_header import first_png_alpha


@pytest.mark.parametrize("first", [0, 77, 255])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_alpha_of_the_first_pixel_is_read_without_decoding(tmp_path, first, mode, level):
    shape = (20, 30, len(mode))
    pixels = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    pixels[0, 0, -1] = first
    Image.fromarray(pixels, mode).save(tmp_path / "a.png", compress_level=level)
    assert first_png_alpha(tmp_path / "a.png") == first


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "I;16"])
def test_picture_without_an_alpha_channel_gives_none(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "a.png")
    assert first_png_alpha(tmp_path / "a.png") is None


def test_damaged_picture_gives_none(tmp_path):
    Image.new("RGBA", (40, 40)).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    place = content.index(b"IDAT") + 4
    (tmp_path / "a.png").write_bytes(content[:place] + b"\xff" * 20 + content[place + 20 :])
    assert first_png_alpha(tmp_path / "a.png") is None
    (tmp_path / "a.png").write_bytes(content[:30])
    assert first_png_alpha(tmp_path / "a.png") is None
