"""What an article declares besides its text, and what of it has no text."""

import pytest

from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.stages.parse.jats import parse_jats

XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'


def article(
    meta: str = "", body: str = "<p>Text.</p>", back: str = "", kind: str = "research-article", title: str = "T"
) -> Document:
    """A parsed article with these parts."""
    front = f"<title-group><article-title>{title}</article-title></title-group>{meta}"
    parts = f"<front><article-meta>{front}</article-meta></front><body>{body}</body><back>{back}</back>"
    return parse_jats(f'<article {XLINK} article-type="{kind}">{parts}</article>'.encode(), "d:1", "file")


def texts(document: Document, kind: BlockKind) -> list[str]:
    return [block.text for block in document.blocks if block.kind is kind]


def test_affiliations_and_orcids_are_kept_with_their_labels_apart() -> None:
    orcid = '<contrib-id contrib-id-type="orcid">https://orcid.org/0000-0002-1825-009X</contrib-id>'
    person = f"<contrib>{orcid}<name><surname>Roe</surname><given-names>Ana</given-names></name></contrib>"
    made = article(
        f"<contrib-group>{person}<aff><label>1</label>Dept of X</aff></contrib-group><aff><sup>2</sup>Ward Y</aff>"
    )
    assert made.metadata["affiliations"] == ["[1] Dept of X", "[2] Ward Y"]
    parts = "<institution>Univ X</institution><addr-line>City</addr-line><country>NL</country>"
    assert article(f"<aff><label>1</label>{parts}</aff>").metadata["affiliations"] == ["[1] Univ X, City, NL"]
    assert made.metadata["orcids"] == ["Ana Roe 0000-0002-1825-009X"]


def test_funding_interests_and_data_are_found_wherever_they_stand() -> None:
    award = "<award-group><funding-source>NIH</funding-source><award-id>R01</award-id></award-group>"
    notes = '<author-notes><corresp>* x@y.z</corresp><fn fn-type="conflict"><p>None declared.</p></fn>'
    notes += "<fn><p>Equal.</p></fn></author-notes>"
    custom = "<meta-name>Data Availability</meta-name><meta-value>On request.</meta-value>"
    made = article(
        f"{notes}<funding-group>{award}<funding-statement>Paid by the NIH.</funding-statement></funding-group>"
        f"<custom-meta-group><custom-meta>{custom}</custom-meta></custom-meta-group>",
        back="<sec><title>Competing interests</title><p>We own shares.</p></sec>"
        "<notes><title>Availability of data and materials</title><p>In Zenodo.</p></notes>"
        '<fn-group><fn fn-type="financial-disclosure"><p>Also by us.</p></fn></fn-group>',
    )
    assert made.metadata["funding"] == ["NIH, R01", "Paid by the NIH.", "Also by us."]
    assert made.metadata["conflicts_of_interest"] == ["None declared.", "Competing interests We own shares."]
    assert made.metadata["data_availability"] == ["On request.", "Availability of data and materials In Zenodo."]
    assert made.metadata["corresponding"] == ["* x@y.z"]
    assert made.metadata["author_notes"] == ["Equal."]


@pytest.mark.parametrize(
    ("related", "status"),
    [
        ("retraction-forward", "retracted"),
        ("correction-forward", "corrected"),
        ("expression-of-concern", "under concern"),
    ],
)
def test_an_article_says_what_became_of_it(related: str, status: str) -> None:
    made = article(f'<related-article related-article-type="{related}" xlink:href="https://doi.org/10.9999/n.1"/>')
    assert made.metadata["publication_status"] == status
    assert made.metadata["retracted"] is (status == "retracted")
    assert made.metadata["notices"] == ["10.9999/n.1"]
    assert any("10.9999/n.1" in warning for warning in made.warnings)
    assert [(code.scheme, code.code, code.role) for code in made.codes] == [("doi", "10.9999/n.1", related)]


def test_a_title_alone_can_say_that_an_article_is_retracted() -> None:
    assert article(title="RETRACTED: A cure").metadata["retracted"] is True
    assert "retracted" not in article(title="Retracted publications in oncology").metadata


def test_a_notice_names_its_article_and_is_not_itself_retracted() -> None:
    made = article(
        '<related-article related-article-type="retracted-article" xlink:href="10.9999/a.8"/>',
        kind="retraction",
        title="Retraction: A cure",
    )
    assert (made.metadata["notice"], made.metadata["notice_of"]) == ("retraction", ["10.9999/a.8"])
    assert "retracted" not in made.metadata


def test_citation_marks_in_every_form_are_references() -> None:
    made = article(
        body="<p>stroke<xref ref-type='bibr'><sup>1</sup></xref> in 2019<xref ref-type='bibr'><sup>12</sup></xref>,"
        " death<xref ref-type='bibr'>3</xref><sup>,</sup><xref ref-type='bibr'>4</xref>,"
        " pain<sup><xref ref-type='bibr'>5</xref>–<xref ref-type='bibr'>7</xref></sup> and [<xref ref-type='bibr'>8</xref>]"
        " in POS<xref ref-type='table-fn'>f</xref>.</p>"
    )
    assert texts(made, BlockKind.PARAGRAPH) == ["stroke [1] in 2019 [12], death [3,4], pain [5–7] and [8] in POS [f]."]


def test_elements_of_a_citation_that_touch_are_kept_apart() -> None:
    ids = "<pub-id pub-id-type='doi'>10.1016/j.x.117</pub-id><pub-id pub-id-type='pmid'>17416361</pub-id>"
    made = article(
        back=f"<ref-list><ref><mixed-citation>Poe L. <italic>Vi</italic>ta. <source>Vet</source><year>2012</year>{ids}"
        "</mixed-citation></ref></ref-list>"
    )
    assert texts(made, BlockKind.REFERENCE) == ["Poe L. Vita. Vet, 2012, 10.1016/j.x.117, 17416361"]


def test_a_formula_that_is_an_image_leaves_a_placeholder_and_a_warning() -> None:
    image = "<inline-graphic xlink:href='f.gif'/>"
    made = article(
        body=f"<p>set at <inline-formula>{image}</inline-formula> kcal.</p>"
        "<disp-formula><graphic xlink:href='g.gif'/><label>(1)</label></disp-formula><disp-formula>a = b</disp-formula>"
        f"<p>and {image} too</p>"
    )
    assert texts(made, BlockKind.PARAGRAPH) == ["set at [formula] kcal.", "and [formula] too"]
    assert texts(made, BlockKind.FORMULA) == ["[formula] (1)", "a = b"]
    assert made.warnings == ("3 formulas are images: [formula] stands in their places",)


def test_a_table_that_is_an_image_is_told() -> None:
    made = article(
        body="<table-wrap><label>Table 1</label><caption><p>Ages</p></caption><graphic xlink:href='t'/></table-wrap>"
    )
    assert made.warnings == ("Table 1 is an image: its cells are not in the text",)


def test_an_oasis_table_is_read_with_its_spans() -> None:
    specs = "<colspec colname='a'/><colspec colname='b'/><colspec colname='c'/>"
    head = "<row><entry morerows='1'>Drug</entry><entry namest='b' nameend='c'>Dose</entry></row>"
    head += "<row><entry>low</entry><entry>high</entry></row>"
    body = "<row><entry>Ibuprofen</entry><entry colname='c'>400 mg</entry></row>"
    group = f"<o:tgroup cols='3'>{specs}<o:thead>{head}</o:thead><o:tbody>{body}</o:tbody></o:tgroup>"
    for name in ("colspec", "row", "entry"):
        group = group.replace(f"<{name}", f"<o:{name}").replace(f"</{name}", f"</o:{name}")
    made = article(body=f"<table-wrap><o:table xmlns:o='http://x/oasis'>{group}</o:table></table-wrap>")
    table = next(block.table for block in made.blocks if block.table)
    assert table.rows == (("Drug", "Dose", "Dose"), ("Drug", "low", "high"), ("Ibuprofen", "", "400 mg"))
    assert table.header_rows == 2


def test_accents_are_composed() -> None:
    assert texts(article(body="<p>Charite\u0301 and na\u00efve</p>"), BlockKind.PARAGRAPH) == ["Charité and naïve"]


TEX = r"\documentclass{minimal}\begin{document}$$%s$$\end{document}"


def test_tex_in_a_line_is_text_and_a_structure_that_is_an_image_is_told() -> None:
    alone = f"<tex-math>{TEX % '{}^{6}'}</tex-math>"
    both = f"<alternatives><tex-math>{TEX % chr(92)}alpha^{{2}}</tex-math><graphic/></alternatives>"
    body = f"<p>10<inline-formula>{alone}</inline-formula> x, <inline-formula>{both}</inline-formula>, "
    made = article(body=f"{body}<chem-struct><graphic/></chem-struct>.</p>")
    assert texts(made, BlockKind.PARAGRAPH)[0].startswith("10^6 x, ")
    assert texts(made, BlockKind.PARAGRAPH)[0].endswith(", [formula].")
    assert made.warnings == ("1 formulas are images: [formula] stands in their places",)


@pytest.mark.parametrize(
    ("kind", "role", "title", "notice"),
    [
        ("withdrawal", "retracted-article", "Withdrawn at the authors' request", "withdrawal"),
        ("partial-retraction", "partially-retracted-article", "T", "partial retraction"),
        ("article-commentary", "retracted-article", "Retraction: A drug works", "retraction"),
        ("article-commentary", "retracted-article", "What a retraction teaches", ""),
    ],
)
def test_notices_of_every_kind_name_what_they_are_of(kind: str, role: str, title: str, notice: str) -> None:
    link = f'<related-article related-article-type="{role}" ext-link-type="doi" xlink:href="10.9/x"/>'
    made = article(link, kind=kind, title=title)
    assert made.metadata.get("notice", "") == notice
    assert made.metadata.get("notice_of", []) == (["10.9/x"] if notice else [])


def test_a_withdrawn_article_is_retracted_and_a_register_s_number_is_no_address() -> None:
    link = '<related-article related-article-type="withdrawal" ext-link-type="doi" xlink:href="10.9/n"/>'
    place = "<institution-wrap><institution-id>https://ror.org/1</institution-id><institution>U</institution></institution-wrap>"
    made = article(f"{link}<aff><label>2</label>{place}<country>DE</country></aff>")
    assert made.metadata["retracted"] is True
    assert made.metadata["affiliations"] == ["[2] U, DE"]
