"""A PubMed record as a Document: title, abstract, authors, journal, MeSH headings, and what it says of related records.

Elements: https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html
"""

from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.models.identifiers import Scheme, parse
from medkg_lab.models.relations import KEY, PUBMED_REFERENCES, Relation, read
from medkg_lab.stages.parse.builder import Builder
from medkg_lab.stages.parse.errors import NotAnArticle
from medkg_lab.stages.parse.jats_inline import inline_text
from medkg_lab.stages.parse.paths import Paths
from medkg_lab.stages.parse.xml import Element, child, children, descend, local_name

_RECORDS = ("PubmedArticle", "PubmedBookArticle")
_LANGUAGES = {
    "eng": "en",
    "fre": "fr",
    "ger": "de",
    "spa": "es",
    "ita": "it",
    "por": "pt",
    "chi": "zh",
    "jpn": "ja",
    "rus": "ru",
}
"""MARC's names of the most frequent languages (https://www.loc.gov/marc/languages/), by their IETF tags."""
_NLM_TITLE_OF_NO_ABSTRACT = "the record has no abstract"


def read_pubmed(root: Element, doc_id: str, source: str) -> Document:
    """Read the one record in a set. Raises NotAnArticle when there is none or more than one, and EmptyDocument."""
    records = [root] if local_name(root) in _RECORDS else children(root, *_RECORDS)
    if len(records) != 1:
        raise NotAnArticle(detail=f"it is a set of {len(records)} PubMed records, which `medkg-lab submit` splits")
    record, paths, made = records[0], Paths(), Builder("PubMed record")
    citation = child(record, "MedlineCitation", "BookDocument")
    article = (
        citation if citation is not None and local_name(citation) == "BookDocument" else descend(citation, "Article")
    )
    if citation is None or article is None:
        return made.document(doc_id, source)
    _title(made, article, paths)
    _abstract(made, article, paths)
    _identifiers(made, record, citation, article)
    _journal(made, article)
    _authors(made, article)
    _subjects(made, citation, article, paths)
    _relations(made, citation)
    return made.document(doc_id, source)


def _title(made: Builder, article: Element, paths: Paths) -> None:
    found = child(article, "ArticleTitle", "BookTitle")
    if found is None:
        found = descend(article, "Book", "BookTitle")
    if found is not None:
        made.add_title(inline_text(found), paths.of(found))
    original = child(article, "VernacularTitle")
    if original is not None:
        made.put("original_title", inline_text(original))
    for language in children(article, "Language")[:1]:
        made.language = (
            _LANGUAGES.get((language.text or "").strip().lower(), (language.text or "en").strip().lower()) or "en"
        )


def _abstract(made: Builder, article: Element, paths: Paths) -> None:
    abstract = child(article, "Abstract")
    parts = children(abstract, "AbstractText") if abstract is not None else []
    for part in parts:
        label = " ".join((part.get("Label") or "").split())
        section = ("Abstract", label.capitalize()) if label else ("Abstract",)
        made.heading(section[:1], paths.of(part))
        made.heading(section, paths.of(part))
        made.add(BlockKind.ABSTRACT, inline_text(part), section, paths.of(part))
    if not parts:
        made.warnings.append(_NLM_TITLE_OF_NO_ABSTRACT)


def _identifiers(made: Builder, record: Element, citation: Element, article: Element) -> None:
    given = [("pmid", item) for item in children(citation, "PMID")]
    given += [(item.get("EIdType") or "", item) for item in children(article, "ELocationID")]
    for data in ("PubmedData", "PubmedBookData"):
        listed = descend(child(record, data), "ArticleIdList")
        given += (
            [(item.get("IdType") or "", item) for item in children(listed, "ArticleId")] if listed is not None else []
        )
    for kind, item in given:
        scheme = {"pmid": Scheme.PMID, "pubmed": Scheme.PMID, "doi": Scheme.DOI, "pmc": Scheme.PMC}.get(kind)
        one = parse((item.text or "").strip())
        if one is not None and one.scheme is scheme:
            made.identifiers.setdefault(str(scheme), one.value)


def _journal(made: Builder, article: Element) -> None:
    journal = child(article, "Journal")
    issue = descend(journal, "JournalIssue")
    for key, parent, name in (
        ("journal", journal, "Title"),
        ("issn", journal, "ISSN"),
        ("volume", issue, "Volume"),
        ("issue", issue, "Issue"),
    ):
        found = child(parent, name) if parent is not None else None
        if found is not None:
            made.put(key, inline_text(found))
    pages = descend(article, "Pagination", "MedlinePgn")
    first, _, last = (inline_text(pages) if pages is not None else "").partition("-")
    made.put("first_page", first)
    made.put("last_page", last)
    dates = [descend(issue, "PubDate"), child(article, "ArticleDate"), descend(article, "Book", "PubDate")]
    for date in (one for one in dates if one is not None):
        text = "".join(inline_text(item) for item in children(date, "Year", "MedlineDate"))[:4]
        if text.isdecimal():
            made.metadata.setdefault("year", int(text))


def _authors(made: Builder, article: Element) -> None:
    authors = child(article, "AuthorList")
    names: list[str] = []
    places: list[str] = []
    for author in children(authors, "Author") if authors is not None else ():
        given, family, suffix = (child(author, name) for name in ("ForeName", "LastName", "Suffix"))
        whole = child(author, "CollectiveName")
        parts = [whole] if whole is not None else [given, family, suffix]
        names.append(" ".join(inline_text(part) for part in parts if part is not None))
        places += [inline_text(item) for item in author.iter() if local_name(item) == "Affiliation"]
    made.put("authors", list(filter(None, names)))
    made.put("affiliations", list(dict.fromkeys(filter(None, places))))


def _subjects(made: Builder, citation: Element, article: Element, paths: Paths) -> None:
    for heading in (
        children(listed, "MeshHeading") if (listed := child(citation, "MeshHeadingList")) is not None else ()
    ):
        if (name := child(heading, "DescriptorName")) is not None:
            made.keyword(inline_text(name), paths.of(name), (name.get("UI") or "").strip())
    for group in children(citation, "KeywordList"):
        for word in children(group, "Keyword"):
            made.keyword(inline_text(word), paths.of(word))
    types = child(article, "PublicationTypeList")
    kinds = [inline_text(item) for item in children(types, "PublicationType")] if types is not None else []
    made.put("publication_types", kinds)
    if "Preprint" in kinds:
        made.put("article_type", "preprint")
    if any(kind in ("Retracted Publication", "Retraction of Publication") for kind in kinds):
        made.metadata["retracted"] = "Retracted Publication" in kinds


def _relations(made: Builder, citation: Element) -> None:
    found: list[str] = []
    listed = child(citation, "CommentsCorrectionsList")
    for item in children(listed, "CommentsCorrections") if listed is not None else ():
        kind, number = item.get("RefType") or "", child(item, "PMID")
        if kind in PUBMED_REFERENCES and number is not None and (one := parse((number.text or "").strip())):
            found.append(f"{kind} {one}")
    made.put(KEY, list(dict.fromkeys(found)))
    if any(relation is Relation.RETRACTED_BY for relation, _ in read(found)):
        made.metadata["retracted"] = True
