"""One table of sentences a language: what is said is there, what is there is said, and the languages agree."""

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from demo.page import LANGUAGES, filled, language_of, page, words
from demo.wire import BadRequest, refusal
from train.task import UsageError

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo"
ENGLISH = words("en")
HTML = sorted(DEMO.glob("**/*.html"))
SCRIPTS = sorted(file for file in DEMO.glob("**/*.js") if "vendor" not in file.parts)
PYTHON = [*sorted(DEMO.glob("**/*.py")), *sorted((ROOT / "train").glob("**/*.py"))]
# said by Python alone: on command lines, or in parts of the product whose page is not there yet
FREE = ("picture.", "save.", "hand.", "inside.", "lesson.", "name.", "title.")
KEY = re.compile(r"[a-z]+(\.[A-Za-z_]+)+")
OTHERS = [language for language in LANGUAGES if language != "en"]


def forms(entry) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry.values())


def places(entry) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", " ".join(forms(entry))))


def keys_in_html() -> set[str]:
    text = "".join(file.read_text("utf-8") for file in HTML)
    return set(re.findall(r'\bdata-t(?:-[a-z]+)?="([^"]+)"', text))


def strings_in_scripts() -> tuple[set[str], list[str]]:
    """Quoted strings of the scripts that look like keys, and the beginnings of templates such as `recipe.${name}`."""
    text = "\n".join(re.sub(r"^\s*//.*$", "", file.read_text("utf-8"), flags=re.M) for file in SCRIPTS)
    text = re.sub(r'\b(el|find|querySelector|querySelectorAll)\("[^"]*"', "", text)  # selectors look like keys
    keys = {each for each in re.findall(r'"([^"\n]*)"', text) if KEY.fullmatch(each)}
    return keys, re.findall(r"`([a-z]+(?:\.[a-z_]+)*\.)\$\{", text) + re.findall(r"`([a-z]+)\.?\$\{", text)


def as_sentence(text: str) -> str:
    """A sentence as the page writes it: capital letter, no plain quotes; {count:,} is the page's to write."""
    text = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", text).replace("'", "’").replace(" x ", " × ").rstrip(".")
    return text[:1].upper() + text[1:]


def messages_in_python() -> list[tuple[str, str, set[str]]]:
    """(code, English template, names of the values) of each message with a code."""
    found = []
    for file in PYTHON:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            given = {each.arg: each.value for each in node.keywords}
            texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if isinstance(given.get("code"), ast.Constant) and given["code"].value and texts:
                found.append((given["code"].value, texts[-1], {*given} - {"code", None}))
    return found


@pytest.mark.parametrize("language", OTHERS)
def test_each_language_has_the_same_sentences_with_the_same_places(language):
    table = words(language)
    assert list(table) == list(ENGLISH)
    assert [key for key in ENGLISH if places(table[key]) != places(ENGLISH[key])] == []
    assert [key for key in ENGLISH if not all(form.strip() for form in forms(table[key]))] == []


def test_no_key_is_missing():
    keys, _ = strings_in_scripts()
    names = {key.split(".")[0] for key in ENGLISH}
    asked = keys_in_html() | {
        key for key in keys if key.split(".")[0] in names and not key.endswith((".csv", ".png", ".jpg", ".webp"))
    }
    assert sorted(asked - set(ENGLISH)) == []


def test_no_key_is_unused():
    keys, beginnings = strings_in_scripts()
    said = keys | keys_in_html() | {code for code, _, _ in messages_in_python()}
    beginnings = tuple(each for each in beginnings if each.endswith("."))
    names = ("optimizer.", "schedule.", "augment.", "task.", "recipe.", "network.", "data.", "language.")
    unused = [key for key in ENGLISH if key not in said and not key.startswith((*beginnings, *names, *FREE))]
    assert unused == []


def test_python_says_in_english_what_the_table_says():
    wrong = []
    for code, template, values in messages_in_python():
        if code in ENGLISH:
            if as_sentence(template) != as_sentence(ENGLISH[code]) or places(ENGLISH[code]) - values:
                wrong.append((code, template, ENGLISH[code]))
        elif not code.startswith(FREE):
            wrong.append((code, template, "not in the table"))
    assert wrong == []


MESSAGES = ("Message", "Words", "BadRequest", "TooLarge", "TooMany", "Busy", "NotReady", "UsageError", "InsideError",
            "PictureError", "CheckpointError", "TrainingStopped", "NotAtHand", "ModelError")  # fmt: skip


def messages_without_a_code(source: str) -> list[tuple[int, str]]:
    """(line, call) of each message that is made of words of its own, without the code to say it in another language."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        words = isinstance(node.args[0], ast.JoinedStr | ast.Constant | ast.BinOp)
        if name in MESSAGES and words and "code" not in {each.arg for each in node.keywords}:
            found.append((node.lineno, ast.unparse(node)))
    return found


def test_a_message_without_a_code_is_found():
    calls = ('BadRequest(f"no {x}")', 'UsageError("no" + x)', 'Busy("no", code="a.b")', "Busy(error.message)")
    assert [line for line, _ in messages_without_a_code("\n".join(calls))] == [1, 2]


READ = ("data/pictures.py", "digits/reader.py", "hands/reader.py", "hands/lesson_reader.py", "learn/stuck.py",
        "learn/fit.py", "inside/*.py")  # fmt: skip


def test_whatever_the_server_says_has_a_code():
    pages = [file for file in DEMO.glob("**/*.py") if file.name != "options.py"]  # which speaks to the terminal only
    files = [*pages, *(file for pattern in READ for file in (ROOT / "train").glob(pattern))]
    assert len(files) > 40
    assert [(file.name, *each) for file in files for each in messages_without_a_code(file.read_text("utf-8"))] == []


def test_a_message_that_is_the_command_lines_is_not_told_to_a_page(caplog):
    """It may name files of the server, and no other language has it."""
    for error in (UsageError("/home/ann/mnist is damaged"), UsageError("/home/ann is full", code="save.failed")):
        answer = refusal(error)
        said = json.loads(answer.body)
        assert answer.status_code == 400 and said["code"] == "server.error" and "ann" not in said["error"]
    assert "/home/ann/mnist is damaged" in caplog.text
    told = json.loads(refusal(BadRequest("That is not JSON.", code="json.broken")).body)
    assert told == {"error": "That is not JSON.", "code": "json.broken", "values": {}}


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_is_left_in_english(language):
    table = words(language)
    same = [
        key for key in ENGLISH if table[key] == ENGLISH[key] and re.search(r"[a-z]{2,} [a-z]{2,}", str(ENGLISH[key]))
    ]
    assert same == []


class Visible(HTMLParser):
    """Collects the texts, and the attributes that people see or hear, of elements without data-t."""

    def __init__(self):
        super().__init__()
        self.open, self.found = [], []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.open.append(tag)
        for name in ("aria-label", "title", "alt", "placeholder"):
            if given.get(name):
                self.found.append(given[name])

    def handle_data(self, data):
        if self.open and self.open[-1] in ("kbd", "code"):
            return
        if re.search(r"[^\W\d_]{2,}", data):
            self.found.append(data.strip())

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass


@pytest.mark.parametrize("file", HTML, ids=lambda file: file.name)
def test_no_html_says_anything_but_by_the_table(file):
    visible = Visible()
    visible.feed(file.read_text("utf-8"))
    assert visible.found == []


def test_no_script_says_anything_but_by_the_table():
    """Strings with two words in them are sentences, unless they are markup, selectors or the samples of the API."""
    found = []
    for file in SCRIPTS:
        text = re.sub(r"^\s*(//|\*|/\*).*$", "", file.read_text("utf-8"), flags=re.M)
        text = re.sub(r"const SAMPLES = \{.*?\n\};", "", text, flags=re.S)
        text = re.sub(r"\s//.*$", "", text, flags=re.M)
        for string in re.findall(r'"([^"\n]*)"', text):
            if re.match(r"[A-Z][a-z]+ [a-z]+|[a-z’]+ [a-z’]+ [a-z’]+", string) and not re.search(
                r"[<>\[\]{}#=;:/]|^\.", string
            ):
                found.append((file.name, string))
    allowed = {"python -m train asl"}
    assert [each for each in found if each[1] not in allowed] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_in_its_language(language):
    text = page(language)
    assert f'<html lang="{language}">' in text and f'<title data-t="page.title">{words(language)["page.title"]}' in text
    assert json.loads(re.search(r'id="words">(.*?)</script>', text)[1]) == words(language)
    assert "<!-- " not in text and "aria-current=true>" in text


def test_words_cannot_break_out_of_the_page():
    text = filled('<b data-t="a" data-t-label="b"></b>', {"a": "<i>&", "b": '"><script>'})
    assert text == '<b data-t="a" data-t-label="b" aria-label="&quot;&gt;&lt;script&gt;">&lt;i&gt;&amp;</b>'


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "zh-TW,zh;q=0.9,en;q=0.8", "zh-TW"),
        (None, "zh-Hant-HK", "zh-TW"),
        (None, "fr, en;q=0.5", "en"),
        ("zh-TW", "en", "zh-TW"),
        ("ZH-tw", "en", "zh-TW"),
        ("../../etc", "en-GB", "en"),
        (None, "zh-TW;q=0, en", "en"),
    ],
)
def test_the_language_is_the_one_asked_for(wanted, accepted, language):
    assert language_of(wanted, accepted) == language
