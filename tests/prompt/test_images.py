"""Images: what is one, what is not, and how it is made to fit; nothing is fetched."""

import base64
import io
import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import alcf_jupyter as alcf
from alcf_jupyter.errors import TooLargeError, UsageError
from alcf_jupyter.prompt import images
from tests.scripted import model


def opened(picture):
    return Image.open(io.BytesIO(picture.data))


def noise(height, width, channels=3):
    return np.random.default_rng(1).integers(0, 255, (height, width, channels), np.uint8)


def test_the_sandbox_sees_every_kind_of_image(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (30, 20)).save(path)
    figure = Figure(figsize=(2, 1), dpi=50)
    axes = figure.subplots()
    alcf.connect("sandbox")
    given = [path, str(path), path.read_bytes(), Image.new("L", (7, 5)), figure, axes]
    given += [np.zeros((4, 9)), np.zeros((4, 9, 4), np.uint8), np.ones((4, 9, 1), bool)]
    reply = alcf.chat("look", model="sandbox/vision", images=given)
    assert reply.text.startswith("I was given 9 images.")
    for size in ("30 x 20", "7 x 5", "100 x 50", "9 x 4"):
        assert f"PNG of {size} pixels" in reply.text
    single = alcf.chat("look", model="sandbox/vision", images=path)
    assert "1 image." in single.text
    for none in (None, [], ()):
        assert "no image" in alcf.chat("look", model="sandbox/vision", images=none).text


def test_a_file_that_fits_goes_as_it_is(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (30, 20), "red").save(path)
    (picture,) = images.pictures([path])
    assert (picture.data, picture.kind, picture.remark) == (path.read_bytes(), "jpeg", "")


def test_a_large_image_is_made_smaller_and_the_footer_says_so():
    alcf.connect("sandbox")
    reply = alcf.chat("look", model="sandbox/vision", images=noise(2000, 2400))
    assert "image made smaller, 2400 x 2000 to " in reply.footer
    assert reply.remarks[0] in repr(reply.footer)


def test_many_images_share_the_room():
    found = images.pictures([noise(900, 900)] * 6)
    assert sum(len(one.data) for one in found) <= images.ALL_BYTES
    assert all(one.remark for one in found)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_kept_or_lies_on_white(mode):
    large = Image.fromarray(noise(1300, 1300, 4)).convert(mode)
    large.putalpha(0)
    (picture,) = images.pictures([large])
    assert picture.kind == "jpeg"
    assert opened(picture).convert("RGB").getpixel((5, 5)) == (255, 255, 255)
    (picture,) = images.pictures([large.crop((0, 0, 9, 9))])
    assert opened(picture).convert("RGBA").getpixel((5, 5))[3] == 0


def test_orientation_is_applied_and_is_no_change_of_size():
    flat = Image.new("RGB", (2600, 2000), "red")
    flat.getexif()[0x0112] = 6
    (picture,) = images.pictures([flat])
    assert (opened(picture).size, picture.remark) == ((2000, 2600), "image sent as JPEG")
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(1200, 1800)).save(turned, "JPEG", quality=100, exif=exif)
    (picture,) = images.pictures([turned.getvalue()])
    assert opened(picture).height > opened(picture).width
    assert not opened(picture).getexif()


@pytest.mark.parametrize(
    ("array", "low", "high"),
    [
        (np.array([[0.0, 1.0]]), 0, 255),
        (np.array([[-5.0, 5.0]]), 0, 255),
        (np.array([[1000, 3000]], np.uint16), 0, 255),
        (np.array([[np.nan, 0.5]]), 0, 128),
        (np.array([[7.0, 7.0]]), 0, 0),
    ],
)
def test_measured_values_are_spread_over_the_greys(array, low, high):
    (picture,) = images.pictures([array])
    assert opened(picture).getextrema() == (low, high)


@pytest.mark.parametrize("kind", ["uint16", "int32", "float32"])
def test_a_measured_image_is_spread_over_the_greys_as_its_array_is(kind):
    values = np.linspace(0, 60_000, 256).reshape(16, 16).astype(kind)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    for given in (Image.fromarray(values), file.getvalue()):
        (picture,) = images.pictures([given])
        assert picture == images.pictures([values])[0]
        assert len(opened(picture).getcolors()) == 256


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("https://127.0.0.1:9/a.png", "not fetched"),
        ("HTTP://x/a.png", "not fetched"),
        ("file:///etc/passwd", "not fetched"),
        ("data:image/png;base64,AAAA", "not fetched"),
        ("/no/such/picture.png", "cannot be read"),
        ("a\0b", "cannot be read"),
        (b"not an image", "not an image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "not an image"),
        (3, "int is not an image"),
        (np.zeros((2, 2, 2)), "shape"),
        (np.zeros(3), "shape"),
        (np.zeros((0, 3)), "shape"),
        (np.array([["a"]]), "not an image"),
    ],
)
def test_what_is_no_image_is_refused_before_anything_is_sent(bad, words):
    with model("hi") as served:
        with pytest.raises(UsageError, match=words) as raised:
            alcf.chat("look", model="m", images=[bad])
        assert len(str(raised.value).splitlines()) == 2
        assert served.asked == []


def test_a_bomb_of_pixels_is_refused(monkeypatch):
    data = io.BytesIO()
    Image.new("1", (3000, 3000)).save(data, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    with pytest.raises(TooLargeError, match="more pixels"):
        images.pictures([data.getvalue()])
    with pytest.raises(TooLargeError, match="more pixels"):
        images.pictures([np.zeros((3000, 3000), np.uint8)])


def test_what_is_sent_is_a_data_url():
    with model("hi") as served:
        alcf.chat("look", model="m", images=np.zeros((2, 3)))
    text, image = served.asked[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": "look"}
    head, _, data = image["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (3, 2)
    assert "http" not in json.dumps(served.asked[0])
