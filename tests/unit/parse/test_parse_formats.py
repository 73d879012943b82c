"""Formats that other services and programs write, read into blocks with their sections and what they say of themselves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.errors import DocumentError
from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.sources import sniff
from medkg_lab.stages.parse.auto import parse
from medkg_lab.stages.parse.errors import EmptyDocument, NotAnArticle, NotAStudy, TooDeep, UnknownFormat, UnreadableText


def read(text: str | bytes, media_type: str = "") -> Document:
    return parse(text.encode() if isinstance(text, str) else text, "x:1", "x", media_type)


def outline(document: Document) -> list[tuple[str, str, str]]:
    return [(block.kind.value, " > ".join(block.section), block.text) for block in document.blocks]


PUBMED = """<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID Version="1">18276894</PMID><Article>
<Journal><ISSN>1</ISSN>
<JournalIssue><Volume>3</Volume><PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate></JournalIssue>
<Title>Lung</Title></Journal><ArticleTitle>CO<sub>2</sub> at 10<sup>6</sup> cells.</ArticleTitle>
<ELocationID EIdType="doi">10.1234/AbC</ELocationID>
<Abstract><AbstractText Label="AIM OF IT">To see.</AbstractText><AbstractText>Seen.</AbstractText></Abstract>
<AuthorList><Author><LastName>Li</LastName><ForeName>Xi</ForeName>
<AffiliationInfo><Affiliation>Here</Affiliation></AffiliationInfo></Author>
<Author><CollectiveName>The Group</CollectiveName></Author></AuthorList><Language>fre</Language>
<PublicationTypeList><PublicationType>Preprint</PublicationType></PublicationTypeList></Article>
<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><PMID>99</PMID></CommentsCorrections>
<CommentsCorrections RefType="Cites"><PMID>98</PMID></CommentsCorrections></CommentsCorrectionsList>
<MeshHeadingList><MeshHeading><DescriptorName UI="D006073">Gout</DescriptorName></MeshHeading></MeshHeadingList>
</MedlineCitation>
<PubmedData><ArticleIdList><ArticleId IdType="pmc">PMC12</ArticleId></ArticleIdList></PubmedData></PubmedArticle>
</PubmedArticleSet>"""


def test_a_pubmed_record() -> None:
    found = read(PUBMED)
    assert outline(found) == [
        ("title", "", "CO2 at 10^6 cells."),
        ("heading", "Abstract", "Abstract"),
        ("heading", "Abstract > Aim of it", "Aim of it"),
        ("abstract", "Abstract > Aim of it", "To see."),
        ("abstract", "Abstract", "Seen."),
    ]
    assert found.identifiers == {"pmid": "18276894", "doi": "10.1234/abc", "pmc": "PMC12"}
    assert found.language == "fr"
    assert found.metadata["authors"] == ["Xi Li", "The Group"]
    assert found.metadata["affiliations"] == ["Here"]
    assert (found.metadata["journal"], found.metadata["year"], found.metadata["article_type"]) == (
        "Lung",
        1998,
        "preprint",
    )
    assert found.metadata["related_articles"] == ["RetractionIn pmid:99"]
    assert found.metadata["retracted"] is True
    assert [(code.scheme, code.code, code.term) for code in found.codes] == [("mesh", "D006073", "Gout")]


def test_sets_of_more_than_one_are_for_submit_to_split() -> None:
    record = "<PubmedArticle><MedlineCitation><PMID>1</PMID></MedlineCitation></PubmedArticle>"
    for text in (
        f"<PubmedArticleSet>{record * 2}</PubmedArticleSet>",
        "<collection><document/><document/></collection>",
    ):
        with pytest.raises(NotAnArticle, match="splits"):
            read(text)


BIOC = """<collection><source>PMC</source><document><id>34</id>
<passage>
<infon key="section_type">TITLE</infon><infon key="type">front</infon>
<infon key="article-id_doi">10.1234/x</infon>
<infon key="name_0">surname:Li;given-names:Xi</infon><infon key="year">2020</infon>
<offset>0</offset><text>A title</text></passage>
<passage>
<infon key="section_type">ABSTRACT</infon><infon key="type">abstract</infon>
<offset>8</offset><text>Short.</text></passage>
<passage>
<infon key="section_type">METHODS</infon><infon key="type">title_1</infon>
<offset>15</offset><text>Patients and methods</text></passage>
<passage>
<infon key="section_type">METHODS</infon><infon key="type">title_2</infon>
<offset>36</offset><text>Sample</text></passage>
<passage>
<infon key="section_type">METHODS</infon><infon key="type">paragraph</infon>
<offset>43</offset><text>We asked.</text></passage>
<passage>
<infon key="section_type">TABLE</infon><infon key="type">table</infon>
<offset>53</offset><text>a\tb
1\t2</text></passage><passage>
<infon key="section_type">REF</infon><infon key="type">ref</infon>
<offset>60</offset>
<text>Old paper</text></passage></document></collection>"""


def test_a_bioc_article() -> None:
    found = read(BIOC)
    assert outline(found)[1:] == [
        ("heading", "Abstract", "Abstract"),
        ("abstract", "Abstract", "Short."),
        ("heading", "Patients and methods", "Patients and methods"),
        ("heading", "Patients and methods > Sample", "Sample"),
        ("paragraph", "Patients and methods > Sample", "We asked."),
        ("table", "Tables", "a | b\n1 | 2"),
        ("heading", "References", "References"),
        ("reference", "References", "Old paper"),
    ]
    assert (found.title, found.metadata["authors"], found.metadata["year"]) == ("A title", ["Xi Li"], 2020)
    assert found.identifiers == {"pmc": "PMC34", "doi": "10.1234/x"}


def test_bioc_in_json_reads_as_in_xml() -> None:
    passages = '[{"infons": {"type": "title"}, "text": "T"}, {"infons": {"type": "abstract"}, "text": "A b."}, 7]'
    for text in (
        f'{{"id": "8", "passages": {passages}}}',
        f'[{{"source": "", "documents": [{{"id": "8", "passages": {passages}}}]}}]',
    ):
        found = read(text)
        assert (found.title, found.identifiers) == ("T", {"pmid": "8"})
        assert outline(found)[-1] == ("abstract", "Abstract", "A b.")


TEI = """<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt><title level="a">A title</title></titleStmt>
<sourceDesc><biblStruct><analytic><author><persName><forename>Xi</forename><surname>Li</surname></persName>
<affiliation><orgName>Dept</orgName><orgName>Uni</orgName></affiliation></author></analytic>
<monogr><title level="j">Lung</title><imprint><biblScope unit="volume">3</biblScope><date when="2019-02-01"/></imprint></monogr>
<idno type="DOI">10.1234/T</idno></biblStruct></sourceDesc></fileDesc>
<profileDesc><abstract><div><p>Short.</p></div></abstract></profileDesc></teiHeader>
<text xml:lang="en"><body><div><head n="1">Methods</head><p>We asked <ref type="bibr">[1]</ref>.</p>
<figure type="table"><head>Table 1</head>
<figDesc>Numbers</figDesc><table><row><cell>a</cell><cell>b</cell></row></table></figure></div>
</body>
<back><div type="references"><listBibl><biblStruct><note type="raw_reference">Old paper. 10.1/cited</note>
<idno type="DOI">10.9999/cited</idno></biblStruct></listBibl></div></back></text></TEI>"""


def test_a_tei_article() -> None:
    found = read(TEI)
    assert outline(found) == [
        ("title", "", "A title"),
        ("heading", "Abstract", "Abstract"),
        ("abstract", "Abstract", "Short."),
        ("heading", "Methods", "Methods"),
        ("paragraph", "Methods", "We asked [1]."),
        ("caption", "Methods", "Table 1 Numbers"),
        ("table", "Methods", "a | b"),
        ("heading", "References", "References"),
        ("reference", "References", "Old paper. 10.1/cited"),
    ]
    assert found.identifiers == {"doi": "10.1234/t"}
    assert found.metadata == {
        "authors": ["Xi Li"],
        "affiliations": ["Dept Uni"],
        "journal": "Lung",
        "volume": "3",
        "year": 2019,
    }


def test_plain_text() -> None:
    found = read(
        "Discharge letter\n\nHISTORY\nFever for\ntwo days.\n\n- cough\n- chills\n\nPlan:\nRest.\n", sniff.PLAIN
    )
    assert outline(found) == [
        ("title", "", "Discharge letter"),
        ("heading", "HISTORY", "HISTORY"),
        ("paragraph", "HISTORY", "Fever for two days."),
        ("list_item", "HISTORY", "cough"),
        ("list_item", "HISTORY", "chills"),
        ("heading", "Plan", "Plan"),
        ("paragraph", "Plan", "Rest."),
    ]


def test_markdown() -> None:
    text = (
        "---\nkey: 1\n---\n# Title\n\nA *b* `c`.\n\n## Methods\n\n1. one\n2. two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    )
    text += "<script>x</script>\n"
    found = read(text, sniff.MARKDOWN)
    assert outline(found) == [
        ("title", "", "Title"),
        ("paragraph", "", "A b c."),
        ("heading", "Methods", "Methods"),
        ("list_item", "Methods", "one"),
        ("list_item", "Methods", "two"),
        ("table", "Methods", "a | b\n1 | 2"),
        ("paragraph", "Methods", "<script>x</script>"),
    ]
    table = next(block.table for block in found.blocks if block.kind is BlockKind.TABLE)
    assert table is not None
    assert table.header_rows == 1


HTML = """<!DOCTYPE html><html lang="en"><head><title>A title - Journal</title><meta name="citation_title" content="A title">
<meta name="citation_doi" content="10.1234/W"><meta name="citation_author" content="Xi Li"><style>p {}</style></head>
<body><nav>Menu</nav><main><h1>A title</h1><p>About 10<sup>6</sup> cells<br>each.</p><h2>Methods</h2>
<div>Loose <b>text</b><p>Then this.</p></div><h3>Sample</h3><ul><li>one</li><li>two</li></ul><h2>Results</h2>
<table><caption>Numbers</caption><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2<br>3</td></tr></table></main>
<script>bad()</script><footer>Imprint</footer></body></html>"""


def test_a_web_page() -> None:
    found = read(HTML, sniff.HTML)
    assert outline(found) == [
        ("title", "", "A title"),
        ("paragraph", "", "About 10^6 cells each."),
        ("heading", "Methods", "Methods"),
        ("paragraph", "Methods", "Loose text"),
        ("paragraph", "Methods", "Then this."),
        ("heading", "Methods > Sample", "Sample"),
        ("list_item", "Methods > Sample", "one"),
        ("list_item", "Methods > Sample", "two"),
        ("heading", "Results", "Results"),
        ("caption", "Results", "Numbers"),
        ("table", "Results", "a | b\n1 | 2 3"),
    ]
    assert found.identifiers == {"doi": "10.1234/w"}
    assert found.metadata["authors"] == ["Xi Li"]


def test_deep_pages_are_refused_in_words() -> None:
    with pytest.raises((TooDeep, EmptyDocument)):
        read("<div>" * 5000 + "x", sniff.HTML)


def test_text_is_read_only_where_it_is_meant_as_a_document() -> None:
    for text in ("plain", HTML):
        with pytest.raises(UnknownFormat):
            read(text)
    with pytest.raises(UnknownFormat):
        read(b"\0\1\2", sniff.PLAIN)
    with pytest.raises(EmptyDocument):
        read(" \n ", sniff.MARKDOWN)


STUDY = '{"protocolSection": {"identificationModule": {"nctId": ["NCT00000001"], "briefTitle": ["Sjögren"]}}}'


def test_json_in_other_encodings_and_out_of_data_frames_keeps_its_id() -> None:
    for encoding in ("utf-8", "utf-16", "latin-1"):
        found = read(STUDY.encode(encoding))
        assert (found.title, found.identifiers["nct"]) == ("Sjögren", "NCT00000001")
        assert bool(found.warnings) is (encoding == "latin-1")
    with pytest.raises(NotAStudy, match="2 studies column by column"):
        read(STUDY.replace('"NCT00000001"', '"NCT00000001", "NCT00000002"'))
    with pytest.raises(UnreadableText):
        read(b'\xff\xfe{\0"\0\x00\xd8')


@settings(max_examples=60)
@given(st.text("<>/abp\n #-|1*_& ", max_size=120), st.sampled_from([sniff.PLAIN, sniff.MARKDOWN, sniff.HTML, ""]))
def test_any_text_ends_in_a_document_or_in_words(text: str, media_type: str) -> None:
    try:
        assert read(text, media_type).blocks
    except DocumentError as error:
        assert str(error)
