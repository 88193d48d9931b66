"""What `python -m demo --host 0.0.0.0` shows in the terminal for a class."""

import pytest

from demo import classroom
from demo.app import main


def test_a_class_gets_the_address_and_a_code_of_it(monkeypatch):
    monkeypatch.setattr(classroom, "own_address", lambda: "192.168.1.20")
    told = classroom.invitation("0.0.0.0", 7860, secure=False)
    assert "http://192.168.1.20:7860/" in told and "--ssl-certfile" in told
    code = told.splitlines()[:-3]
    assert len(code) > 10 and set("".join(code)) & set("█▀▄")
    secure = classroom.invitation("0.0.0.0", 7860, secure=True)
    assert secure.endswith("https://192.168.1.20:7860/")


@pytest.mark.parametrize("bound", ["127.0.0.1", "localhost", "::1"])
def test_a_server_for_oneself_invites_nobody(bound):
    assert classroom.invitation(bound, 7860, secure=False) == ""


def test_a_machine_without_a_network_invites_nobody(monkeypatch):
    monkeypatch.setattr(classroom, "own_address", lambda: None)
    assert classroom.invitation("0.0.0.0", 7860, secure=False) == ""


def test_a_space_invites_nobody_to_a_network(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/something")
    assert classroom.invitation("0.0.0.0", 7860, secure=False) == ""


def test_a_chosen_address_is_the_one_that_is_shown():
    assert "http://10.0.0.7:8000/" in classroom.invitation("10.0.0.7", 8000, secure=False)
    assert "http://[fd00::7]:8000/" in classroom.invitation("fd00::7", 8000, secure=False)


def test_help_says_why_a_camera_needs_https(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "Browsers give the camera to secure pages only" in told and "--ssl-keyfile" in told
