"""The C++ library: compiled once, kept safely, called with what it takes, and done without where it cannot be had."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from train.fast import compiler, layers, library, quickest
from train.fast.functions import Normalisation
from train.fast.layers import fused, is_fused
from train.learn.networks import build

posix = pytest.mark.skipif(os.name != "posix", reason="owners, modes and groups of processes are POSIX's")


@pytest.fixture(autouse=True)
def there_is_a_compiler():
    if library.library() is None and not os.environ.get("CI"):
        pytest.skip("there is no C++ compiler")
    assert library.library() is not None


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, and a source that takes no time to compile."""
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "one.cpp").write_text('extern "C" int one() { return 1; }')
    monkeypatch.setattr(compiler, "SOURCES", sources)
    monkeypatch.setenv("DIGITS_AND_SIGNS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "native"


def compile_now(seconds: float = 60) -> Path:
    return compiler.compiled(compiler.find_compiler(), (), time.monotonic() + seconds)


def script(path: Path, text: str) -> str:
    """A program that stands in for a compiler."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_code_is_compiled_once_and_nothing_else_is_left(cache):
    made = compile_now()
    before = made.read_bytes(), made.stat().st_ino
    assert compile_now() == made and (made.read_bytes(), made.stat().st_ino) == before
    assert list(cache.iterdir()) == [made]


@posix
def test_the_folder_is_closed_to_others_and_so_is_the_library(cache):
    made = compile_now()
    assert cache.stat().st_mode & 0o777 == 0o700 and made.stat().st_mode & 0o022 == 0
    cache.chmod(0o777)
    assert compile_now() == made and cache.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", ["truncated", "altered", "empty", "link", "writable by others", "another's"])
def test_a_library_that_is_not_as_it_was_made_is_never_loaded_but_made_anew(cache, damage, monkeypatch):
    made = compile_now()
    whole = made.read_bytes()
    match damage:
        case "truncated":
            os.truncate(made, len(whole) // 2)
        case "altered":
            made.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "empty":
            os.truncate(made, 0)
        case "link":
            made.rename(cache.parent / "elsewhere")
            made.symlink_to(cache.parent / "elsewhere")
        case "writable by others":
            made.chmod(0o666)
        case "another's":
            about = compiler._is_ours
            monkeypatch.setattr(compiler, "_is_ours", lambda one: one.st_ino != made.stat().st_ino and about(one))
    assert not compiler.is_sound(made)
    again = compile_now()
    assert again.read_bytes() == whole and not again.is_symlink()
    assert compiler.is_sound(again) or damage == "another's"  # whose file may get the same number


@posix
def test_a_folder_that_is_anothers_is_not_used(cache, monkeypatch):
    cache.mkdir(parents=True)
    monkeypatch.setattr(compiler, "_is_ours", lambda about: about.st_ino != cache.stat().st_ino)
    assert compile_now().parent not in (cache, *cache.parents) and not list(cache.iterdir())


def test_another_version_of_the_compiler_makes_its_own(cache, monkeypatch):
    first = compile_now()
    run = compiler._run
    monkeypatch.setattr(
        compiler, "_run", lambda commands, until: run(commands, until) + "13.9" * (commands[0][1:] == ["--version"])
    )
    assert compile_now() != first and len(list(cache.iterdir())) == 2


def test_what_nobody_has_used_for_long_is_removed_when_something_is_compiled(cache):
    old = compile_now()
    os.utime(old, (0, time.time() - 40 * 86_400))
    left = cache / "tmpabc"
    left.mkdir()
    os.utime(left, (0, time.time() - 2 * 86_400))
    assert compile_now() == old and time.time() - old.stat().st_mtime < 60  # it is used again
    os.utime(old, (0, time.time() - 40 * 86_400))
    (compiler.SOURCES / "one.cpp").write_text('extern "C" int two() { return 2; }')
    new = compile_now()
    assert list(cache.iterdir()) == [new] and new != old


def test_processes_that_compile_at_once_do_not_disturb_each_other(cache):
    code = (
        "import time; from pathlib import Path; from train.fast import compiler\n"
        f"compiler.SOURCES = Path({str(compiler.SOURCES)!r})\n"
        "file = compiler.compiled(compiler.find_compiler(), (), time.monotonic() + 60)\n"
        "assert compiler.is_sound(file); print(file.name)"
    )
    several = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    names = {process.communicate()[0].strip() for process in several}
    assert all(process.returncode == 0 for process in several)
    assert names == {file.name for file in cache.iterdir()}


def ends(pid: int) -> bool:
    """Whether a process that was sent its end is gone within 20 s, but for a trace that nobody has collected yet."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        asked = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
        if not asked.stdout.strip() or asked.stdout.startswith("Z"):
            return True
        time.sleep(0.05)
    return False


@posix
def test_a_compiler_that_hangs_is_ended_with_all_that_it_started(cache, tmp_path):
    """It answers for its version, and then a child of its own does not come back."""
    pids = tmp_path / "pids"
    hangs = script(tmp_path / "hangs", f'[ "$1" = --version ] && exit\nsleep 60 & echo $! >> {pids}\nwait')
    with pytest.raises(compiler.CompilerError, match="too long"):
        compiler.compiled(hangs, (), time.monotonic() + 1)
    for pid in pids.read_text().split():
        assert ends(int(pid))  # it would sleep for a minute
    assert not list(cache.iterdir()) and not compiler._running


@posix
def test_a_program_ends_though_its_compiler_hangs_in_the_background(cache, tmp_path):
    hangs = script(tmp_path / "c++", f"sleep 1000 & echo $! >> {tmp_path / 'pids'}\nwait")
    code = (
        "import time; from train.fast import library, quickest; from train.learn.networks import build\n"
        f"from pathlib import Path; from train.fast import compiler; compiler.COMPILERS = ({hangs!r},)\n"
        "assert not library.ready() and not library.ready()\n"  # does not wait
        f"while not Path({str(tmp_path / 'pids')!r}).exists(): time.sleep(0.05)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    (pid,) = (tmp_path / "pids").read_text().split()
    assert ends(int(pid))


def test_ready_does_not_wait_and_is_true_when_the_functions_are_there(monkeypatch):
    assert library.ready()
    library._library.cache_clear()
    assert not library.ready()
    library._background.join(120)
    assert library.ready() and library.library() is not None


def test_without_a_compiler_or_if_not_wanted_layers_stay_torchs(monkeypatch):
    monkeypatch.setenv("DIGITS_AND_SIGNS_FUSED", "0")
    assert library._library.__wrapped__() is None
    monkeypatch.delenv("DIGITS_AND_SIGNS_FUSED")
    monkeypatch.setattr(compiler, "COMPILERS", ("no-such-compiler",))
    assert library._library.__wrapped__() is None
    monkeypatch.setattr(layers, "library", lambda: None)
    model = build("mnist-cnn")
    assert fused(model) is model and not is_fused(quickest(model))


@posix
def test_a_compiler_that_fails_is_told_of_and_done_without(cache, tmp_path, monkeypatch):
    broken = script(tmp_path / "broken", '[ "$1" = --version ] && exit\necho "error: no headers" >&2\nexit 1')
    monkeypatch.setattr(compiler, "COMPILERS", (broken,))
    with pytest.warns(UserWarning, match="could not compile its fast layers, training is slower: error: no headers"):
        assert library._library.__wrapped__() is None
    assert not list(cache.iterdir())


def test_a_library_that_lacks_a_function_is_not_taken(cache):
    with pytest.warns(UserWarning, match="convolve_pool_3_float"):
        assert library._library.__wrapped__() is None
    assert not list(cache.iterdir())


@posix
def test_on_a_mac_that_only_offers_to_install_a_compiler_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler.sys, "platform", "darwin")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for status, there in [(2, False), (0, True)]:
        script(tmp_path / "xcode-select", f"exit {status}")
        assert (compiler.find_compiler() is not None) == there


def test_types_are_declared_not_learned_from_the_first_call():
    x, out = torch.ones(1, 16, 2, 2).contiguous(memory_format=torch.channels_last), torch.empty(1, 16, 2, 2)
    library.call("dropout", torch.float32, x, out, 64, 0, 1, 1)  # an int where a float is meant
    assert torch.equal(out, torch.ones(1, 16, 2, 2))
    with pytest.raises(TypeError, match="dropout"):
        library.call("dropout", torch.float32, x, out, 64.5, 0.5, 1, 1)  # a float where an int is meant
    with pytest.raises(TypeError, match="dropout"):
        library.call("dropout", torch.float32, x, out, 64)
    with pytest.raises(TypeError, match=r"there is no dropout for torch\.float64"):
        library.call("dropout", torch.float64, x.double(), out.double(), 64, 0.5, 1, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.double(), "there is no normalise for torch.float64"),
        (lambda x: x.to("meta"), "on the CPU"),
    ],
    ids=["float64", "meta"],
)
def test_maps_that_cpp_would_misread_are_refused(change, words):
    norm = torch.nn.BatchNorm2d(16)
    with pytest.raises(TypeError, match=words):
        Normalisation.apply(change(torch.ones(2, 16, 4, 4)), norm.weight, norm.bias, norm, False)


def test_parameters_that_cpp_would_misread_are_refused():
    x = torch.ones(2, 16, 4, 4)
    norm = torch.nn.BatchNorm2d(16).double()
    with pytest.raises(TypeError, match=r"normalise: scale must be torch.float32 on the CPU, not torch.float64"):
        Normalisation.apply(x, norm.weight, norm.bias, norm, False)
    norm = torch.nn.BatchNorm2d(16)
    with pytest.raises(TypeError, match=r"shift of floats is not laid out"):
        Normalisation.apply(x, norm.weight, torch.ones(32)[::2], norm, False)


def test_fused_layers_are_the_networks_own_when_it_does_not_train():
    torch.manual_seed(0)
    model = build("asl-cnn").eval()
    x, quick = torch.randn(3, 1, 28, 28), fused(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert torch.allclose(quick(x), model(x), atol=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
