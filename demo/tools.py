"""The readers as tools for programs that speak MCP (Model Context Protocol): python -m demo --mcp

Their pictures come as text within the question: no file and no address is opened for anybody.
"""

import base64
import binascii

from demo.draw.endpoints import read_number
from demo.engine import gr
from demo.host import host_of
from demo.signs.endpoints import read, summary
from demo.wire import BadRequest, sentence
from train.task import UsageError

NAMES = ("read_digits", "read_sign")


def api(app: gr.Server) -> None:
    """Adds the tools read_digits and read_sign."""
    host = host_of(app)

    @app.api(name="read_digits", queue=False)
    async def read_digits(picture: str) -> dict:
        """Read the handwritten digits in a picture, as a number from left to right.

        Use it for digits drawn or written by hand, dark on light or light on dark; not for print, words or formulas.
        When "label" is null, no digit was found, and "note" says why; a note beside a label means doubt.

        Args:
            picture: a PNG, JPEG, WebP, GIF, BMP or HEIC file of at most 140 kB, in base64 or as a data: URL.

        Returns:
            {"label": the number as text or null, "confidences": [{"label", "confidence" 0..1}, ...] largest first,
            "note": text, "digits": each digit likewise}.
        """
        return await _answer(read_number, picture)

    @app.api(name="read_sign", queue=False)
    async def read_sign(picture: str) -> dict:
        """Name the letter of the American Sign Language alphabet that the hand in a photo shows.

        It knows the 24 letters that are held still: all but J and Z, which are movements. One hand, wholly in the
        picture. When "label" is null, no hand sign was found, and "note" says why; a note beside a label means doubt.

        Args:
            picture: a JPEG, PNG, WebP, GIF, BMP or HEIC file of at most 140 kB, in base64 or as a data: URL.

        Returns:
            {"label": the letter or null, "confidences": [{"label", "confidence" 0..1}, ...] largest first,
            "note": text}.
        """
        return await _answer(lambda data: summary(read(data)), picture)

    async def _answer(work, picture: str) -> dict:
        try:
            return await host.pictures.take(work, bytes_of(picture))
        except UsageError as error:
            raise gr.Error(sentence(error), print_exception=False) from None


def bytes_of(picture: str) -> bytes:
    """The file in base64 text, or in a data: URL. Raises BadRequest."""
    if not isinstance(picture, str):
        raise BadRequest("A picture is sent in base64.", code="inside.base64")
    try:
        return base64.b64decode("".join(picture.rpartition(",")[2].split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("A picture is sent in base64.", code="inside.base64") from None
