"""Pictures that were sent for the named endpoints: kept for some minutes under names that nobody can guess.

Gradio reads any path that it finds in an argument. Here only what was uploaded counts, and by the name that its sender
was told: a random one, so that one visitor cannot name another's picture.
"""

import secrets
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import FormData, UploadFile

from demo.limits import HostLimits
from demo.turns import Busy
from demo.wire import BadRequest, TooMany, too_large

NOT_UPLOADED = BadRequest("Only pictures that were uploaded first can be read.", code="upload.unknown")
DEEPEST = 50  # levels of lists and objects in an argument


@dataclass(frozen=True)
class Upload:
    """One file: where, how large, when it came, and whose it is."""

    path: Path
    size: int
    came: float
    visitor: str


class Uploads:
    """The uploads there are. What is too old goes with the next one that comes."""

    def __init__(self, folder: Path, limits: HostLimits):
        self.folder, self.limits = folder, limits
        self._kept: dict[str, Upload] = {}  # path as it is told -> upload, oldest first
        self._lock = threading.Lock()

    async def take(self, form: FormData, visitor: str) -> list[str]:
        """Keeps the files in the field "files" and returns their paths. Raises UsageError for what is too much."""
        files = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
        if not files:
            raise BadRequest("Send one picture in the field 'files'.", code="upload.none")
        return [self.keep(await file.read(), visitor) for file in files]

    def keep(self, data: bytes, visitor: str) -> str:
        """Keeps a file's bytes and returns its path."""
        if not data:
            raise BadRequest("The picture file is empty.", code="upload.empty")
        if len(data) > self.limits.picture:
            raise too_large(self.limits.picture)
        with self._lock:
            self._forget_old()
            sizes = [(each.size, each.visitor) for each in self._kept.values()]
            if sum(size for size, whose in sizes if whose == visitor) + len(data) > self.limits.uploads_each:
                raise TooMany("You have sent many pictures. Try again in some minutes.", code="upload.many")
            if sum(size for size, _ in sizes) + len(data) > self.limits.uploads:
                raise Busy("The server is full of pictures. Try again in some minutes.", code="upload.full")
            path = self.folder / secrets.token_hex(16) / "picture"
            path.parent.mkdir(parents=True, mode=0o700)
            path.write_bytes(data)
            self._kept[str(path)] = Upload(path, len(data), time.monotonic(), visitor)
            return str(path)

    def read(self, file: object) -> bytes:
        """The bytes of a FileData that names an upload. Raises BadRequest for anything else."""
        path = file.get("path") if isinstance(file, dict) else getattr(file, "path", None)
        with self._lock:
            upload = self._kept.get(path) if isinstance(path, str) else None
        try:
            return upload.path.read_bytes()
        except (AttributeError, OSError):  # there is none, or not any more
            raise NOT_UPLOADED from None

    def check(self, value: object, depth: int = 0) -> None:
        """Raises BadRequest if a file is named anywhere in `value` that was not uploaded."""
        if depth > DEEPEST:
            raise BadRequest("These arguments are nested too deeply.", code="json.deep")
        if isinstance(value, dict):
            if "path" in value and not (isinstance(value["path"], str) and value["path"] in self._kept):
                raise NOT_UPLOADED
            if value.get("url") is not None and "path" in value:
                value["url"] = None  # nothing is fetched for anybody
            for each in value.values():
                self.check(each, depth + 1)
        elif isinstance(value, list):
            for each in value:
                self.check(each, depth + 1)

    def clear(self) -> None:
        """Removes everything."""
        with self._lock:
            self._kept = {}
            shutil.rmtree(self.folder, ignore_errors=True)

    def _forget_old(self) -> None:
        until = time.monotonic() - self.limits.upload_seconds
        for name, upload in list(self._kept.items()):
            if upload.came < until:
                del self._kept[name]
                shutil.rmtree(upload.path.parent, ignore_errors=True)
