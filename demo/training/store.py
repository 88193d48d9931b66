"""Networks that were trained in the page: kept on disk for a while, never in place of the shipped ones."""

import os
import shutil
import tempfile
import threading
from pathlib import Path

from demo.errors import BadRequest


class Store:
    """A temporary folder of checkpoints, one a run; the oldest go when there are too many."""

    def __init__(self, most_runs: int = 100, most_bytes: int = 500_000_000):
        self.most_runs, self.most_bytes = most_runs, most_bytes
        self._folder: Path | None = None
        self._kept: dict[str, int] = {}  # run -> bytes, oldest first
        self._lock = threading.Lock()

    def keep(self, run: str, data: bytes) -> None:
        """Write the network of a run, a checkpoint's bytes; another one of the same run is replaced. Raises OSError."""
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="digits-and-signs-runs-"))
            path = self._folder / f"{run}.safetensors"
            part = path.with_suffix(".part")
            try:
                part.write_bytes(data)
                os.replace(part, path)  # whoever reads it reads the old one or the new one
            finally:
                part.unlink(missing_ok=True)
            self._kept.pop(run, None)
            self._kept[run] = path.stat().st_size
            while len(self._kept) > self.most_runs or sum(self._kept.values()) > self.most_bytes:
                oldest = next(iter(self._kept))
                del self._kept[oldest]
                for file in self._folder.glob(f"{oldest}.*"):
                    file.unlink(missing_ok=True)

    def path(self, run: str) -> Path:
        """The checkpoint of a run. Raises BadRequest if it is not here, or not any more."""
        with self._lock:
            path = self._folder / f"{run}.safetensors" if run in self._kept else None
            if path is None or not path.exists():  # a system may empty its folder of temporary files
                raise BadRequest(
                    "This run's network is no longer on the server. Train it again to use it.", code="run.forgotten"
                )
            return path

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder, self._kept = None, {}
