"""Checks of what a search finds for a query, and of what is told of one that cannot be asked."""

from pathlib import Path
from typing import Any

from tests.cases.case import Context, Outcome, case
from tests.labs import TestLab

NOISE = "<p>Paracetamol eased fever in adults who walked every day.</p>"


def article(number: int, title: str, body: str, front: str = "") -> str:
    """A JATS article with a PMC id and a DOI of its own."""
    ids = f'<article-id pub-id-type="pmc">{number}</article-id><article-id pub-id-type="doi">10.9999/made.{number}</article-id>'
    head = f"{ids}<title-group><article-title>{title}</article-title></title-group>{front}"
    return f"<article><front><article-meta>{head}</article-meta></front><body>{body}</body></article>"


def submit(lab: TestLab, *paths: Path) -> None:
    """Submit files and wait until they are searchable."""
    lab.ok("submit", *map(str, paths), "--wait", "--timeout", "300")


def made(context: Context, *texts: str) -> list[Path]:
    """Files of these articles."""
    paths = [context.scratch / f"made{place}.xml" for place in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


def found(lab: TestLab, *query: str) -> list[dict[str, Any]]:
    """The hits of a search."""
    hits: list[dict[str, Any]] = lab.ok("search", *query)["hits"]
    return hits


@case(
    "documents/11",
    "an id in any form, an author, a journal answers with that document first, by name and not by chance",
)
def names(context: Context) -> Outcome:
    asked = {
        "PMC9100022": "pmc:PMC9100022",
        "https://doi.org/10.9999/invented.22": "pmc:PMC9100022",
        "10.9999/INVENTED.22": "pmc:PMC9100022",
        "Zzmueller": "pmc:PMC9100022",
        "Zzmueller AB": "pmc:PMC9100022",
        "ZZINVENT Study Group": "pmc:PMC9100022",
        "author:zzmueller angina": "pmc:PMC9100022",
        "PMC 9100081": "pmc:PMC9100081",
        "PMC9100081.2": "pmc:PMC9100081",
        "99999981": "pmc:PMC9100081",
        "PMID: 99999981": "pmc:PMC9100081",
        "pmid:99999981": "pmc:PMC9100081",
        "Journal of Invented Medicine": "pmc:PMC91000",
        'journal:"invented medicine" gout': "pmc:PMC9100081",
    }
    with context.lab() as lab:
        others = made(context, article(1, "Fever", NOISE))
        submit(lab, context.inputs / "article.nxml", context.inputs / "a.nxml", *others)
        first = {query: next((hit["doc_id"] for hit in found(lab, query)), "nothing") for query in asked}
        missing = found(lab, "NCT99100021")
    wrong = {query: first[query] for query, wanted in asked.items() if not first[query].startswith(wanted)}
    got = f"{len(asked) - len(wrong)} of {len(asked)} first; wrong: {wrong}; an unknown id: {missing}"
    return Outcome(not wrong and not missing, got)


@case("documents/24", "every way to write a word of the article finds it by words, as its first hit")
def symbols(context: Context) -> Outcome:
    queries = """IL6|IL-6|IL 6|TNFα|TNF alpha|TNFalpha|NFkappaB|delta F508|ΔF508|deltaF508|β-thalassemia|beta thalassaemia|5 μg
        |5 µg|fibrosis|effect|Sjogren|Sjögren|Sjoegren|IFN gamma|interleukin 6|HER2/neu|10^6|37 °C|covid19"""
    with context.lab() as lab:
        others = made(context, article(1, "Fever", NOISE), article(2, "Nausea", "<p>Übelkeit.</p>"))
        submit(lab, context.inputs / "article.nxml", *others)
        ranks = {query.strip(): next(iter(found(lab, query.strip())), None) for query in queries.split("|")}
        umlaut = {query: next(iter(found(lab, query)), None) for query in ("Uebelkeit", "Ubelkeit", "ÜBELKEIT")}
    expected = [(ranks, "pmc:PMC9100017"), (umlaut, "pmc:PMC2")]
    wrong = [
        query
        for hits, doc_id in expected
        for query, hit in hits.items()
        if hit is None or hit["doc_id"] != doc_id or hit["ranks"]["bm25"] != 1
    ]
    return Outcome(not wrong, f"{len(ranks) + len(umlaut) - len(wrong)} right; not found by words: {wrong}")


@case(
    "documents/25",
    "operators, phrases, beginnings, fields and filters hold; what cannot be read is told with its place",
)
def language(context: Context) -> Outcome:
    texts = (
        article(
            1, "Colchicine in gout", "<p>Colchicine eased acute gout.</p>", "<pub-date><year>2015</year></pub-date>"
        ),
        article(
            2, "Colchicine after infarction", "<p>Colchicine lowered it.</p>", "<pub-date><year>2021</year></pub-date>"
        ),
        article(3, "Fever", NOISE),
    )
    asked: dict[tuple[str, ...], set[str]] = {
        ("colchicine AND NOT gout",): {"pmc:PMC2"},
        ("colchicine AND gout",): {"pmc:PMC1"},
        ("gout OR fever",): {"pmc:PMC1", "pmc:PMC3"},
        ('"acute gout"',): {"pmc:PMC1"},
        ('"gout acute"',): set(),
        ("colch*",): {"pmc:PMC1", "pmc:PMC2"},
        ("title:gout",): {"pmc:PMC1"},
        ("year:2021",): {"pmc:PMC2"},
        ("colchicine", "--year", "2014-2016"): {"pmc:PMC1"},
        ("colchicine", "--phase", "3"): set(),
    }
    with context.lab() as lab:
        submit(lab, *made(context, *texts))
        got = {" ".join(query): {hit["doc_id"] for hit in found(lab, *query)} for query in asked}
        told = {
            query: lab.run("search", query)
            for query in ('gout "x', "(gout", "gout AND", "NOT gout", "autor:x", "year:x")
        }
    wrong = {" ".join(query): got[" ".join(query)] for query, wanted in asked.items() if got[" ".join(query)] != wanted}
    untold = [query for query, done in told.items() if done.code != 2 or "at character" not in done.err]
    return Outcome(
        not wrong and not untold, f"wrong: {wrong}; not told: {untold}; such as {told['gout AND'].err.strip()!r}"
    )


@case(
    "documents/26",
    "nonsense finds nothing, a good answer scores higher than a poor one; blank and too long queries end with 2",
)
def scores(context: Context) -> Outcome:
    with context.lab() as lab:
        gout = article(1, "Colchicine in gout", "<p>Colchicine eased acute gout.</p>")
        submit(lab, *made(context, gout, article(3, "Fever", NOISE)))
        nonsense = {query: found(lab, query) for query in ("qwertyuiop asdfgh", "zzxxqqvv", "xkcd plugh flurble")}
        printed = lab.run("search", "qwertyuiop asdfgh")
        good, poor = found(lab, "colchicine in acute gout"), found(lab, "gout and unheard-of wombats")
        odd = {
            "blank": lab.run("search", ""),
            "spaces": lab.run("search", "  "),
            "long": lab.run("search", "a" * 17_000),
        }
    hits = [query for query, one in nonsense.items() if one]
    order = bool(good) and 1 >= good[0]["score"] > (poor[0]["score"] if poor else 0) >= 0
    told = {name: f"{done.code} {done.err.strip()[:90]}" for name, done in odd.items()}
    right = not hits and order and all(done.code == 2 for done in odd.values()) and "too long" in odd["long"].err
    right = right and "Nothing found" in printed.out + printed.err
    best = [round(one[0]["score"], 2) for one in (good, poor) if one]
    return Outcome(right, f"nonsense with hits: {hits}; scores of the good and the poor answer: {best}; {told}")
