"""Checks of what the lab takes in and gives out: identifiers, containers, formats, encodings, versions."""

from tests.cases.case import Context, Outcome, case
from tests.labs import TestLab

OFFLINE = "sources: {identifier: {base_url: 'http://127.0.0.1:9/ids'}, pmc: {base_url: 'http://127.0.0.1:9/eutils'}}\n"
WRITTEN = {
    "PMC5676196.4": "pmc:PMC5676196",
    "PMC 1234567": "pmc:PMC1234567",
    "https://pmc.ncbi.nlm.nih.gov/articles/PMC2222222/": "pmc:PMC2222222",
    "https://clinicaltrials.gov/study/NCT01234567": "clinicaltrials:NCT01234567",
    "nct 07654321.": "clinicaltrials:NCT07654321",
    "https://doi.org/10.1371/Journal.pone.0001": "identifier?doi:10.1371/journal.pone.0001",
    "doi:10.1371/journal.pone.0002.": "identifier?doi:10.1371/journal.pone.0002",
    "18276894": "identifier?pmid:18276894",
    "PMID: 18276895": "identifier?pmid:18276895",
    "https://pubmed.ncbi.nlm.nih.gov/18276896/": "identifier?pmid:18276896",
}


def submit(lab: TestLab, *targets: str) -> dict[str, str]:
    """Submit to the end, whatever it is; the documents' states."""
    lab.run("submit", *targets, "--wait", "--timeout", "200", timeout=240)
    return {job["doc_id"]: job["state"] for job in lab.ok("jobs", "list")}


@case("documents/13", "ids are taken in every writing: addresses, prefixes, versions, PubMed ids, spaces")
def ids_as_written(context: Context) -> Outcome:
    with context.lab(settings=OFFLINE) as lab:
        told = {written: lab.run("submit", written, "--json") for written in WRITTEN}
        got = {
            written: done.json()["jobs"][0]["doc_id"] if done.code == 0 else done.err[:80]
            for written, done in told.items()
        }
    return Outcome(got == WRITTEN, f"{got}")


@case(
    "documents/15", "every file and member is a document: an article, its package, a table, an archive, lines of JSON"
)
def containers(context: Context) -> Outcome:
    wanted = {"pmc:PMC9100301"} | {f"clinicaltrials:NCT991000{n}" for n in (30, 31, 32, 38, 39, 40)}
    with context.lab() as lab:
        states = submit(lab, str(context.inputs))
    return Outcome(set(states) == wanted and set(states.values()) == {"completed"}, f"{states}")


@case("documents/16", "PubMed, BioC, OAI-PMH and TEI complete and are found; books and FHIR are refused in words")
def other_formats(context: Context) -> Outcome:
    with context.lab() as lab:
        states = submit(lab, str(context.inputs))
        found = {hit["doc_id"] for hit in lab.ok("search", "gout hurts", "--limit", "50")["hits"]}
        reasons = [job["reason"] for job in lab.ok("jobs", "list") if job["state"] == "failed"]
    done = {doc_id for doc_id, state in states.items() if state == "completed"}
    wanted = {"pubmed:99900001", "bioc:PMC9100034", "bioc:PMC9100035", "pmc:PMC9100036"}
    right = wanted <= done and wanted <= found and any(one.startswith("file:grobid.tei.xml") for one in found)
    return Outcome(
        right and len(reasons) == 2 and all("This " in reason for reason in reasons),
        f"completed {sorted(done)}, found {sorted(found)}, refused: {[reason[:90] for reason in reasons]}",
    )


@case("documents/17", "UTF-16 and Latin-1 are read with their letters; the second with a warning")
def encodings(context: Context) -> Outcome:
    with context.lab() as lab:
        states = submit(lab, str(context.inputs))
        titles = {}
        warnings = {}
        for doc_id in states:
            document = lab.ok("jobs", "show", doc_id, "--stage", "parse")
            titles[doc_id], warnings[doc_id] = document["title"], document["warnings"]
    right = (
        set(states.values()) == {"completed"}
        and titles.get("clinicaltrials:NCT99100046") == "Sjögren trial ≥ 5 µg"
        and titles.get("clinicaltrials:NCT99100048") == "Sjögren trial >= 5 µg"
        and any("not UTF-8" in one for one in warnings["clinicaltrials:NCT99100048"])
    )
    return Outcome(right, f"{states}, {titles}, {warnings}")


@case("documents/28", "the preprint is linked to its article, and a search shows one of them")
def preprint_and_article(context: Context) -> Outcome:
    with context.lab() as lab:
        states = submit(lab, str(context.inputs))
        near = lab.ok("graph", "node", "PMC9100026")["neighbours"]
        hits = [hit["doc_id"] for hit in lab.ok("search", "colchicine infarction")["hits"]]
    links = [(one["relation"], one["direction"], one["node_id"]) for one in near if one["node_id"].startswith("doc:")]
    right = links == [("PREPRINT_OF", "out", "doc:pmc:PMC9100027")] and set(hits) == {"pmc:PMC9100027"}
    return Outcome(right and set(states.values()) == {"completed"}, f"{states}, links {links}, hits {hits}")
