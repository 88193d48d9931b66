"""The page: index.html with the tabs' HTML in it and every sentence in the visitor's language.

The result is plain text, the same for every visitor of a language: a static host could serve it as well.
"""

import html
import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
DEMO = FOLDER.parent
WORDS = FOLDER / "words"
LANGUAGES = ("en", *sorted(file.stem for file in WORDS.glob("*.json") if file.stem != "en"))  # a file is a language
ATTRIBUTES = {"label": "aria-label", "title": "title", "alt": "alt", "placeholder": "placeholder", "content": "content"}


@cache
def page(language: str = "en") -> str:
    """The whole page in one of LANGUAGES: a complete HTML document that refers to its files by relative addresses.

    A line of index.html that belongs to a tab (`data-folder="NAME"`) is left out while demo/NAME has no NAME.html.
    Raises KeyError for a sentence that the language's table does not have.
    """
    lines = (FOLDER / "index.html").read_text("utf-8").splitlines()
    text = "\n".join(line for line in lines if _there(line))
    text = re.sub(r"<!-- tab (\w+) -->", lambda found: _tab(found[1]).read_text("utf-8"), text)
    text = text.replace("<!-- languages -->", _languages(language))
    table = words(language)
    # "<" is the one sign by which a sentence could end the script
    script = json.dumps(table, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    text = text.replace("<!-- words -->", f'<script type="application/json" id="words">{script}</script>')
    return filled(text, table).replace('<html lang="en">', f'<html lang="{language}">')


@cache
def words(language: str) -> dict[str, str | dict[str, str]]:
    """The table of a language: key -> sentence, or -> its forms by plural category ("one", "other")."""
    return json.loads((WORDS / f"{language}.json").read_text("utf-8"))


def filled(text: str, table: dict) -> str:
    """HTML with the sentences of `data-t="key"` as text and of `data-t-label`, `data-t-title`... as attributes."""

    def tag(found: re.Match) -> str:
        start = found[0]
        for name, attribute in ATTRIBUTES.items():
            if key := re.search(rf'\bdata-t-{name}="([^"]+)"', start):
                start = f'{start[:-1].rstrip("/ ")} {attribute}="{html.escape(table[key[1]])}">'
        key = re.search(r'\bdata-t="([^"]+)"', start)
        return start + (html.escape(table[key[1]], quote=False) if key else "")

    return re.sub(r"<[a-z][^>]*\bdata-t(?:-[a-z]+)?=[^>]*>", tag, text)


def language_of(wanted: str | None, accepted: str = "") -> str:
    """The language to answer in: the one asked for by `?lang=`, else the best of an Accept-Language header."""
    wishes = [wanted] if wanted else []
    for part in accepted[:200].split(","):
        name, _, weight = part.partition(";q=")
        if weight.strip() not in ("0", "0.0"):
            wishes.append(name.strip())  # browsers list them by liking
    for wish in wishes:
        if match := _match(wish):
            return match
    return "en"


def _match(wish: str) -> str | None:
    exact = next((each for each in LANGUAGES if each.lower() == wish.lower()), None)
    return exact or next((each for each in LANGUAGES if each.split("-")[0] == wish.lower().split("-")[0]), None)


def _tab(folder: str) -> Path:
    return DEMO / folder / f"{folder}.html"


def _there(line: str) -> bool:
    folder = re.search(r'\bdata-folder="(\w+)"', line)
    return folder is None or _tab(folder[1]).exists()


def _languages(chosen: str) -> str:
    return "".join(
        f'<a href="?lang={each}" lang="{each}" hreflang="{each}" data-language="{each}"'
        f"{' aria-current=true' if each == chosen else ''}>{html.escape(words(each)['language.name'])}</a>"
        for each in LANGUAGES
    )
