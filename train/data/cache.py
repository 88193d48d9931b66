"""The folder that keeps what was parsed, downloaded or compiled once."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Where parsed data is kept: DIGITS_AND_SIGNS_CACHE, else the platform's cache folder. Made if missing."""
    chosen = os.environ.get("DIGITS_AND_SIGNS_CACHE")
    folder = Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("digits-and-signs", False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
