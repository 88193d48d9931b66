"""Where files lie: what comes with the project, and what was parsed, downloaded or compiled once."""

import os
import tempfile
from pathlib import Path

import platformdirs

from train.task import UsageError

PACKAGE = Path(__file__).parents[1]


def shipped(*names: str) -> Path:
    """A file or folder that comes with the project: beside `train` in a checkout, within it where it is installed."""
    within = PACKAGE.joinpath(*names)
    return within if within.exists() else PACKAGE.parent.joinpath(*names)


def cache_folder() -> Path:
    """Where parsed data is kept: DIGITS_AND_SIGNS_CACHE, else the platform's cache folder. Made if missing.

    Raises UsageError where it cannot be made.
    """
    chosen = os.environ.get("DIGITS_AND_SIGNS_CACHE")
    folder = Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("digits-and-signs", False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the cache folder {folder} cannot be made ({error.strerror}): set the variable "
            "DIGITS_AND_SIGNS_CACHE to one that can"
        ) from None
    return folder


def keep(file: Path, data: bytes) -> None:
    """Put a file into the cache, atomically: several processes may do so at once. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as temporary:
        try:
            temporary.write(data)
            temporary.close()
            os.replace(temporary.name, file)
        except OSError:
            os.unlink(temporary.name)
            raise
