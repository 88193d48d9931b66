"""The README in two languages: the same chapters, links both ways, and pictures that are there and light."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = {"README.md": "README.zh-TW.md", "README.zh-TW.md": "README.md"}


@pytest.mark.parametrize("name, other", READMES.items())
def test_each_language_leads_to_the_other(name, other):
    assert f"]({other})" in (ROOT / name).read_text("utf-8")


def test_both_have_the_same_chapters_commands_and_pictures():
    def shape(name):
        text = (ROOT / name).read_text("utf-8")
        prose = re.sub(r"```.*?```", "", text, flags=re.S)
        levels = [len(each) for each in re.findall(r"^(#{1,3}) ", prose, re.M)]
        lines = re.findall(r"^    (?:python|pip|torchrun) .*", text, re.M)
        commands = [re.sub(r"\s+#.*", "", line) for line in lines]
        return levels, commands, re.findall(r"\]\((assets/[^)]+)\)", text)

    assert shape("README.md") == shape("README.zh-TW.md")


def test_both_have_the_same_figures():
    """Row for row: what is measured to a decimal place, and what stands in code."""

    def rows(name):
        lines = re.findall(r"^\|.*\|$", (ROOT / name).read_text("utf-8"), re.M)
        return [(sorted(re.findall(r"\d+\.\d+", line)), re.findall(r"`[^`]+`", line)) for line in lines]

    assert len(rows("README.md")) > 60
    for row, other in zip(rows("README.md"), rows("README.zh-TW.md"), strict=True):
        assert row == other


def test_its_pictures_are_there_and_light():
    pictures = re.findall(r"\]\((assets/[^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert pictures and all((ROOT / picture).stat().st_size < 150_000 for picture in pictures)


@pytest.mark.parametrize("name", READMES)
def test_its_commands_are_those_that_a_change_must_pass(name):
    text, lines = (ROOT / name).read_text("utf-8"), (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    install, tests = re.search(r"^    (pip install .*) && (pytest)$", text, re.M).groups()
    in_two = re.search(r"`(pytest -n .*?)`", text)[1]
    assert install.replace("install", "install -q") in lines and in_two in lines and in_two.startswith(tests)


@pytest.mark.parametrize("name", READMES)
def test_they_show_the_lesson_s_loop_as_it_is(name):
    lesson = (ROOT / "train" / "lesson.py").read_text("utf-8")
    loop = re.search(r"^def train\(.*?(?=\n\n\n)", lesson, re.S | re.M)[0]
    assert loop in (ROOT / name).read_text("utf-8")
