"""Put the demo on a Hugging Face Space, and its networks into a model repository: python -m demo.deploy USER/NAME

Log in first, with `hf auth login`. What is there already is updated: files that are no longer needed go.
"""

import argparse
import re
import sys
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

ROOT = Path(__file__).parents[1]
FLAVORS = ("zero-a10g", "cpu-basic")  # a free account may have the first only; the second needs PRO
NEEDED = ("README.md", "LICENSE", "requirements.txt", "demo", "train", "assets", "checkpoints")
NEEDLESS = {"demo/deploy.py"}
ZERO_TORCH = ("torch>=2.10,<2.12", "torchvision>=0.25,<0.27")  # what ZeroGPU has, of the versions that we take
KEPT = {".gitattributes"}  # on the Hub, made by itself
CARD = """\
---
license: mit
library_name: safetensors
pipeline_tag: image-classification
tags: [digits, asl, cnn, education]
datasets: [ylecun/mnist]
---

# {name}: networks that read digits and hand signs

Those of the demo [Digits and Signs](https://huggingface.co/spaces/{space}). Each file says itself what it was trained
for and how; `train.learn.checkpoint.load(FILE)` of the demo's code rebuilds the network.

{table}

"""
SECTIONS = ("Figures", "Licences")  # of the README: figures by writer and signer, data, limits; and licences


def main(arguments: list[str] | None = None, api: HfApi | None = None) -> int:
    """Deploy as the command line says; returns the exit status. `api` stands for the Hub."""
    parser = argparse.ArgumentParser(prog="python -m demo.deploy", description="Put the demo on a Hugging Face Space.")
    parser.add_argument("space", metavar="USER/NAME", help="the Space, made if it is not there")
    parser.add_argument("--flavor", choices=FLAVORS, default=FLAVORS[0], help="its hardware (default: %(default)s)")
    parser.add_argument("--model", metavar="USER/NAME", help="the model repository (default: the Space's, -networks)")
    parser.add_argument("--private", action="store_true", help="for oneself only")
    parser.add_argument("--dry-run", action="store_true", help="list the files and their sizes, and send nothing")
    options = parser.parse_args(arguments)
    model = options.model or f"{options.space}-networks"
    for name in (options.space, model):
        if not re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", name):
            print(f"demo.deploy: {name} is not of the form USER/NAME", file=sys.stderr)
            return 2
    there = {(options.space, "space"): space_files(options.flavor), (model, "model"): model_files(model, options.space)}
    for (name, kind), files in there.items():
        print(f"{kind} {name}" + (f" on {options.flavor}" if kind == "space" else ""))
        for path, data in files.items():
            print(f"{size_of(data):>12,}  {path}")
        print(f"{sum(map(size_of, files.values())):>12,}  bytes in {len(files)} files")
    if options.dry_run:
        return 0
    api = api or HfApi()
    try:
        for (name, kind), files in there.items():
            hardware = {"space_sdk": "gradio", "space_hardware": options.flavor} if kind == "space" else {}
            api.create_repo(name, repo_type=kind, private=options.private or None, exist_ok=True, **hardware)
            send(api, name, kind, files)
        if api.get_space_runtime(options.space).requested_hardware != options.flavor:  # it was there before
            api.request_space_hardware(options.space, options.flavor)
    except LocalTokenNotFoundError:
        print("demo.deploy: log in first: hf auth login", file=sys.stderr)
        return 1
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        print(f"demo.deploy: {reason(error, options.flavor)}", file=sys.stderr)
        return 1
    print(f"https://huggingface.co/spaces/{options.space}")
    return 0


def space_files(flavor: str) -> dict[str, Path | bytes]:
    """What the Space needs: path there -> the file here, or its bytes."""
    files: dict[str, Path | bytes] = {}
    for name in NEEDED:
        place = ROOT / name
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            path = file.relative_to(ROOT)
            hidden = any(part.startswith((".", "__pycache__")) for part in path.parts)
            unfinished = ".partial." in file.name or file.suffix == ".tmp"
            if file.is_file() and not hidden and not unfinished and path.as_posix() not in NEEDLESS:
                files[path.as_posix()] = file
    if flavor.startswith("zero"):
        lines = files["requirements.txt"].read_text("utf-8").splitlines()
        bounded = {re.match(r"[\w-]+", line)[0]: line for line in ZERO_TORCH}
        lines = [bounded.get(re.split(r"[<>=!~ ]", line)[0], line) for line in lines]
        files["requirements.txt"] = ("\n".join(lines) + "\n").encode()
    return files


def model_files(model: str, space: str) -> dict[str, Path | bytes]:
    """What the model repository gets: the networks, the licence, and a card."""
    networks = [file for file in sorted((ROOT / "checkpoints").glob("*.safetensors")) if ".partial." not in file.name]
    card = CARD.format(name=model.split("/")[1], space=space, table=table(networks))
    card += "\n".join(section(title) for title in SECTIONS)
    return {"README.md": card.encode(), "LICENSE": ROOT / "LICENSE", **{file.name: file for file in networks}}


def table(networks: list[Path]) -> str:
    """What each network's file says of it, as a Markdown table."""
    from train.learn.checkpoint import read_metadata

    rows = ["| file | reads | network | input | epochs | on its test images | date |", "|---|---|---|---|---|---|---|"]
    for file in networks:
        about = read_metadata(file)
        shape = " × ".join(map(str, about.input_shape))
        right = "" if about.test_accuracy is None else f"{about.test_accuracy:.2%} of {about.test_count:,}"
        labels = "".join(about.labels) if all(len(label) == 1 for label in about.labels) else ", ".join(about.labels)
        rows.append(
            f"| `{file.name}` | {labels} | {about.network} | {shape} | {about.epochs:g} | {right} | {about.date} |"
        )
    return "\n".join(rows)


def section(title: str) -> str:
    """A section of the README, with its heading."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(rf"^## {title}\n.*?(?=^## |\Z)", text, re.M | re.S)
    if not found:
        raise LookupError(f"the README has no section {title}")
    return found[0]


def send(api: HfApi, name: str, kind: str, files: dict[str, Path | bytes]) -> None:
    """One commit that makes the repository hold these files and no others."""
    old = set(api.list_repo_files(name, repo_type=kind)) - KEPT - files.keys()
    changes = [CommitOperationDelete(path) for path in sorted(old)]
    changes += [CommitOperationAdd(path, data) for path, data in files.items()]
    api.create_commit(name, changes, commit_message="Deploy", repo_type=kind)


def size_of(data: Path | bytes) -> int:
    """Bytes."""
    return len(data) if isinstance(data, bytes) else data.stat().st_size


def reason(error: Exception, flavor: str) -> str:
    """What went wrong, in one sentence."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 402:
        return f"this account may not host {flavor}: a free one has zero-a10g only, others need PRO"
    if status in (401, 403):
        return "this login may not write there: log in with a token that may, by hf auth login"
    return str(error).strip().splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
