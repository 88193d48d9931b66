"""Takes each guard of the matrix out, one at a time, and runs its test: python tests/faults/take_out.py [WORD ...]

In a copy of the project, in a temporary folder. With words, only the faults, files or tests that have one of them.
Each line says whether the test failed, as it should, or passed; the next one why it failed, for a guard is not tested
by a test that fails without it for another reason. The exit status is 1 if one passed. It takes a quarter of an hour,
and is not run by pytest.
"""

import contextlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 400  # for one test; without its guard it may hang
# Loaded once: each test then runs in a fork of this process. Nothing of our own is among them
LOADED = "torch torchvision gradio gradio_client pandas PIL.Image onnxruntime safetensors.torch httpx uvicorn pytest"
FAILED, PASSED, SKIPPED, BROKEN = range(10, 14)
WHY = "why.txt"  # in the copy: what a test that failed said


def main(words: list[str]) -> int:
    sys.path.insert(0, str(ROOT / "tests" / "faults"))
    from matrix import FAULTS

    chosen = [fault for fault in FAULTS if not words or any(word in " ".join(fault) for word in words)]
    with tempfile.TemporaryDirectory(prefix="without-") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "__pycache__", "checkpoints", "node_modules"))
        (copy / "checkpoints").symlink_to(ROOT / "checkpoints")
        os.chdir(copy)
        sys.path[0] = str(copy)
        sys.dont_write_bytecode = True
        path = os.pathsep.join(filter(None, [str(copy), os.environ.get("PYTHONPATH")]))
        os.environ |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        for name in LOADED.split():
            importlib.import_module(name)
        results = Counter()
        for number, fault in enumerate(chosen, 1):
            file, began = copy / fault.file, time.monotonic()
            code = file.read_text("utf-8")
            file.write_text(code.replace(fault.guard, fault.without), "utf-8")
            Path(WHY).write_text("", "utf-8")
            result = run(fault.test)
            file.write_text(code, "utf-8")
            why = Path(WHY).read_text("utf-8").strip() or "it hung, or crashed" if result == "failed" else ""
            results[result] += 1
            took = f"{time.monotonic() - began:.0f} s"
            print(f"{number}/{len(chosen)}  {result}  {fault.what}\n    {fault.file}  {fault.test}  {took}", flush=True)
            if why:
                print(f"    {why[:200]}", flush=True)
    print(", ".join(f"{count} {result}" for result, count in results.items()), f"of {len(chosen)}")
    return int(not {*results} <= {"failed", "skipped"})


def run(test: str) -> str:
    """What becomes of a test, in a process of its own: failed, passed, skipped, broken (none was run)."""
    process = os.fork()
    if process == 0:
        os.setsid()
        code = FAILED
        try:
            code = _tested(test)
        finally:
            os._exit(code)  # whatever was raised: this process must not clear the copy away
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            _end(process)  # and servers that it has left
            # a crash of the process is a failure of its test
            return {PASSED: "PASSED", SKIPPED: "skipped", BROKEN: "BROKEN"}.get(code, "failed")
        time.sleep(0.05)
    _end(process)
    os.waitpid(process, 0)
    return "failed"  # it hangs


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _tested(test: str) -> int:
    import pytest

    copy = Path.cwd()

    class Outcomes:
        passed = failed = skipped = 0

        def pytest_runtest_logreport(self, report):
            self.failed += report.failed
            if report.failed:
                crash = getattr(report.longrepr, "reprcrash", None)
                said = crash.message if crash else str(report.longrepr)
                Path(copy, WHY).write_text(" ".join(said.split()), "utf-8")
            self.passed += report.passed and report.when == "call"

        def pytest_collectreport(self, report):
            self.skipped += report.skipped  # a whole file, for want of a package

    said, outcomes = os.open(os.devnull, os.O_WRONLY), Outcomes()
    os.dup2(said, 1)
    os.dup2(said, 2)
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", f"tests/{test}"], plugins=[outcomes])
    if outcomes.failed:
        return FAILED
    if code == pytest.ExitCode.OK or outcomes.skipped:
        return PASSED if outcomes.passed else SKIPPED
    return FAILED if code == pytest.ExitCode.INTERRUPTED else BROKEN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
