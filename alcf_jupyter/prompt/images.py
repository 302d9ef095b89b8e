"""Images for a prompt: read, checked, made small enough to be sent; never fetched."""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import TooLargeError, UsageError
from alcf_jupyter.plain import brief
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

ALL_BYTES = 1_350_000
"""What all images of a prompt take together: in base64 1.8 MB, which leaves room for the text."""

_LARGEST_FILE = 500_000_000
_KINDS = {"PNG": "png", "JPEG": "jpeg", "GIF": "gif", "WEBP": "webp"}
_SMALLEST_SIDE = 64
_TAKES = "An image is a file, a PIL image, a matplotlib figure or a NumPy array."


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as it is sent.

    Attributes
    ----------
    data
        The file's bytes.
    kind
        png, jpeg, gif or webp.
    remark
        What was done to it, in words; ``""`` for nothing.
    """

    data: bytes
    kind: str
    remark: str = ""

    @property
    def part(self) -> dict[str, Any]:
        """The part of a message that holds it."""
        text = base64.b64encode(self.data).decode("ascii")
        return {"type": "image_url", "image_url": {"url": f"data:image/{self.kind};base64,{text}"}}


def several(given: Any) -> list[Any]:
    """Return what was given for ``images=`` as a list: a single image is one, too."""
    return list(given) if isinstance(given, (list, tuple)) else [given]


def pictures(images: Sequence[Any]) -> list[Picture]:
    """Return images as they are sent, together small enough for one request.

    Parameters
    ----------
    images
        Paths, PIL images, matplotlib figures or axes, NumPy arrays (rows x columns, with 1, 3 or 4
        channels), or the bytes of an image file.

    Raises
    ------
    UsageError
        One is no image, cannot be read, or is an address on the web.
    TooLargeError
        One has more pixels than can be opened safely.
    """
    _library()
    return [_picture(image, ALL_BYTES // len(images)) for image in images]


def fingerprint(image: Any) -> str:
    """Return a hash of an image, by which a recorded answer to it is known again.

    Parameters
    ----------
    image
        As for `pictures`, a single one.

    Raises
    ------
    UsageError
        It is no image, or cannot be read.
    """
    if isinstance(image, (str, Path)):
        image = _read(str(image))
    if not isinstance(image, (bytes, bytearray)):
        _library()
        drawn = _image(image)
        image = f"{drawn.mode} {drawn.size}".encode() + drawn.tobytes()
    return hashlib.sha256(image).hexdigest()


def _picture(given: Any, budget: int) -> Picture:
    name = "This"
    if isinstance(given, (str, Path)):
        name, given = str(given), _read(str(given))
    if isinstance(given, (bytes, bytearray)):
        image = _opened(bytes(given), name)
        kind = _KINDS.get(image.format or "")
        if kind and len(given) <= budget:
            return Picture(bytes(given), kind)
    else:
        image = _image(given)
    return _fitted(image, budget)


def _read(name: str) -> bytes:
    if "://" in name or name.startswith("data:"):
        raise UsageError(
            f"{brief(name, 60)} is an address, and images are not fetched from the web.",
            do=f"Download it and give the file:  {typed(images='picture.png')}",
        )
    path = Path(name).expanduser()
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise TooLargeError(
                f"{path} has {path.stat().st_size:,} bytes, more than is opened.",
                do="Give a smaller copy of it.",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"The image {brief(path, 120)} cannot be read: {brief(why, 80)}.",
            do="Look at its path. A figure or an array of the notebook works, too.",
        ) from None


def _opened(data: bytes, name: str = "This") -> Image:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # up to twice Pillow's limit is a large picture; more is refused by Pillow itself
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
            image.load()
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except UnidentifiedImageError:
        raise UsageError(f"{brief(name, 120)} is not an image.", do=_TAKES) from None
    except Exception as error:  # noqa: BLE001 - a damaged file makes its decoder raise anything
        raise UsageError(
            f"{brief(name, 120)} is a damaged image: {brief(error, 120)}", do=_TAKES
        ) from None
    return image


def _image(given: Any) -> Image:
    from PIL import Image

    if isinstance(given, Image.Image):
        return given
    figure = given if hasattr(given, "savefig") else getattr(given, "figure", None)
    if figure is not None and hasattr(figure, "savefig"):
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", metadata={"Software": None})
        return _opened(drawn.getvalue())
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(given, numpy.ndarray):
        return _from_array(given)
    raise UsageError(f"This {type(given).__name__} is not an image; nothing was sent.", do=_TAKES)


def _from_array(array: Any) -> Image:
    import numpy as np
    from PIL import Image

    shape = array.shape
    if array.ndim == 3 and shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (3, 4)) or 0 in shape:
        raise UsageError(
            f"An array of shape {shape} is not an image; nothing was sent.",
            do="It takes rows x columns, or rows x columns x 3 (or 4) colours.",
        )
    if array.shape[0] * array.shape[1] > 2 * (Image.MAX_IMAGE_PIXELS or 10**9):
        raise _too_many_pixels()
    if array.dtype != np.uint8:
        if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
            raise UsageError(f"An array of {array.dtype} is not an image.", do=_TAKES)
        values = np.nan_to_num(np.real(array).astype(np.float64), posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
        # colours are mostly from 0 to 1; measured values are spread over what there is of them
        if low < 0 or high > 1:
            values = (values - low) / (high - low or 1.0)
        array = np.round(values * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(array))


def _fitted(image: Image, budget: int) -> Picture:
    """Write an image as PNG, or as JPEG, or smaller, until it fits."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    before = image.size
    if image.mode == "F" or image.mode.startswith("I"):
        import numpy as np

        # measured values; Pillow would cut them off at 0 and 255
        image = _from_array(np.asarray(image))
    elif image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = image.convert("RGB")
    # of a large photograph the PNG would only be thrown away
    png = _written(image, "PNG") if image.width * image.height <= 4_000_000 else b""
    if png and len(png) <= budget:
        return Picture(png, "png")
    flat = _flat(image)
    data = _written(flat, "JPEG")
    while len(data) > budget and max(flat.size) > _SMALLEST_SIDE:
        scale = max(0.5, min(0.9, (budget / len(data)) ** 0.5 * 0.95))
        flat = flat.resize((max(1, int(flat.width * scale)), max(1, int(flat.height * scale))))
        data = _written(flat, "JPEG")
    if len(data) > budget:
        raise TooLargeError("There are too many images for one prompt.", do="Send fewer at once.")
    if flat.size == before:
        return Picture(data, "jpeg", "image sent as JPEG")
    sizes = f"{before[0]} x {before[1]} to {flat.width} x {flat.height}"
    return Picture(data, "jpeg", f"image made smaller, {sizes}")


def _flat(image: Image) -> Image:
    """Return an image without transparency, on white as on a page."""
    from PIL import Image

    if image.mode not in ("RGBA", "LA", "P"):
        return image.convert("RGB")
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(image.convert("RGBA"))
    return page.convert("RGB")


def _written(image: Image, kind: str) -> bytes:
    made = io.BytesIO()
    image.save(made, kind, **({"quality": 85} if kind == "JPEG" else {}))
    return made.getvalue()


def _too_many_pixels() -> TooLargeError:
    return TooLargeError(
        "The image has more pixels than can be opened safely.", do="Give a smaller copy of it."
    )


def _library() -> None:
    try:
        import PIL.Image  # noqa: F401 - looked for, so that its absence is a sentence
    except ImportError:
        raise UsageError("Images need Pillow.", do="Type:  %pip install pillow") from None
