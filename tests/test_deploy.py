"""The demo goes to the Hub: what is sent, to where, on what hardware. A stand-in keeps what it is given."""

from types import SimpleNamespace

import httpx
import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from demo import deploy


class Hub:
    """Repositories by name and kind, as huggingface_hub's HfApi makes and changes them."""

    def __init__(self, refuse: Exception | None = None):
        self.repositories, self.hardware, self.asked, self.refuse = {}, {}, [], refuse

    def create_repo(self, name, *, repo_type, private, exist_ok, space_sdk=None, space_hardware=None):
        if self.refuse:
            raise self.refuse
        assert exist_ok and (space_sdk == "gradio") == (repo_type == "space")
        if (name, repo_type) not in self.repositories:
            self.repositories[name, repo_type] = {".gitattributes": b""}
            self.hardware[name] = space_hardware

    def list_repo_files(self, name, *, repo_type):
        return list(self.repositories[name, repo_type])

    def create_commit(self, name, operations, *, commit_message, repo_type):
        files = self.repositories[name, repo_type]
        for each in operations:
            if hasattr(each, "path_or_fileobj"):
                with each.as_file() as file:
                    files[each.path_in_repo] = file.read()
            else:
                del files[each.path_in_repo]

    def get_space_runtime(self, name):
        return SimpleNamespace(requested_hardware=self.hardware[name])

    def request_space_hardware(self, name, hardware):
        self.hardware[name] = hardware


def test_the_space_gets_what_it_needs_and_the_networks_a_card():
    hub = Hub()
    assert deploy.main(["me/digits"], hub) == 0
    space, model = hub.repositories["me/digits", "space"], hub.repositories["me/digits-networks", "model"]
    assert hub.hardware["me/digits"] == "zero-a10g"
    for path in (
        *("README.md", "requirements.txt", "demo/app.py", "demo/page/words/zh-TW.json", "train/task.py"),
        *("checkpoints/mnist.safetensors", "assets/hand-backbone.safetensors"),
    ):
        assert space[path], path
    assert not [path for path in space if path.startswith(("tests", ".ci")) or "__pycache__" in path]
    assert b"torch>=2.10,<2.12\n" in space["requirements.txt"] and b"gradio>=6" in space["requirements.txt"]
    card = model["README.md"].decode()
    assert card.startswith("---\nlicense: mit\n") and "spaces/me/digits" in card
    for words in ("mnist.safetensors", "signer", "writers", "What it cannot do", "CC BY-SA"):
        assert words in card, words
    assert model["mnist.safetensors"] == space["checkpoints/mnist.safetensors"]


def test_what_is_no_longer_needed_goes_and_other_hardware_is_asked_for():
    hub = Hub()
    deploy.main(["me/digits", "--model", "me/nets"], hub)
    hub.repositories["me/digits", "space"]["demo/old.py"] = b"old"
    assert deploy.main(["me/digits", "--model", "me/nets", "--flavor", "cpu-basic"], hub) == 0
    assert (
        "demo/old.py" not in hub.repositories["me/digits", "space"]
        and ".gitattributes" in hub.repositories["me/nets", "model"]
    )
    assert hub.hardware["me/digits"] == "cpu-basic"
    assert b"<2.12" not in hub.repositories["me/digits", "space"]["requirements.txt"]


def test_a_dry_run_lists_files_and_sizes_and_sends_nothing(capsys):
    assert deploy.main(["me/digits", "--dry-run"], Hub(refuse=AssertionError())) == 0
    told = capsys.readouterr().out
    assert "space me/digits on zero-a10g" in told and "checkpoints/mnist.safetensors" in told
    files = deploy.space_files("zero-a10g")
    assert f"{sum(map(deploy.size_of, files.values())):,}  bytes in {len(files)} files" in " ".join(told.split(" "))


@pytest.mark.parametrize("status, words", [(402, "PRO"), (403, "may not write"), (500, "went wrong")])
def test_a_refusal_is_one_sentence(status, words, capsys):
    reply = httpx.Response(status, request=httpx.Request("POST", "https://huggingface.co"))
    assert deploy.main(["me/digits"], Hub(HfHubHTTPError("It went wrong.\nMuch more.", response=reply))) == 1
    told = capsys.readouterr().err
    assert words in told and len(told.splitlines()) == 1


def test_who_is_not_logged_in_is_told_how(capsys):
    assert deploy.main(["me/digits"], Hub(LocalTokenNotFoundError())) == 1
    assert "hf auth login" in capsys.readouterr().err


def test_a_name_without_its_user_is_refused(capsys):
    assert deploy.main(["digits"], Hub()) == 2
    assert "USER/NAME" in capsys.readouterr().err
