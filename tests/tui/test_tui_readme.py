"""What README.md shows of a search is what the lab answers, and its film is what the script makes: neither can go stale."""

import re
from pathlib import Path
from xml.etree import ElementTree

from medkg_lab.lab.facade import Lab
from tests.labs import TestLab

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FILM = ROOT / "docs" / "pictures" / "tour.svg"
HIT = re.compile(r"^(0\.\d+) +\d+ +\d+ +(\S+) {2,}\S", re.MULTILINE)
ABOUT = 0.05
"""What a score may differ by: one document of the demo waits at its gate here, so a word is a little rarer or commoner."""


def test_the_search_in_the_readme_is_what_the_lab_answers(demo_lab: TestLab) -> None:
    asked = re.search(r"^Search: (.+)$", README, re.MULTILINE)
    assert asked is not None
    shown = [(float(score), document) for score, document in HIT.findall(README)]
    assert len(shown) >= 3
    hits = Lab.at(demo_lab.home).knowledge.search(asked[1], limit=50).hits
    found: dict[str, float] = {}
    for hit in hits:
        found.setdefault(hit.doc_id, hit.score)
    first: dict[str, float] = {}
    for score, document in shown:
        first.setdefault(document, score)
    assert next(iter(first)) == next(iter(found))
    for waiting in demo_lab.ok("gate", "list", "--state", "waiting"):
        first.pop(waiting["doc_id"], None)  # the demo opens its gate, this lab has not
    for document, score in first.items():
        assert abs(found[document] - score) < ABOUT, document


def test_the_film_on_top_of_the_readme_moves_by_itself_and_is_small() -> None:
    assert README.index(f"docs/pictures/{FILM.name}") < README.index("## ")
    text = FILM.read_text(encoding="utf-8")
    assert len(text.encode()) < 2_000_000
    root = ElementTree.fromstring(text)
    frames = [each for each in root.iter() if each.get("class") == "f"]
    rows = {each.get("id") for each in root.iter() if each.get("id")}
    used = {str(each.get("href")).removeprefix("#") for each in root.iter() if each.get("href")}
    assert len(frames) > 20
    assert used == rows
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    for seen in ("6 Search", "9 Graph", "0 SQL", "Needs you"):
        assert seen.replace(" ", "\N{NO-BREAK SPACE}") in text or seen in text
