"""The query language: what is read of a query, and what is told of one that cannot be read."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.knowledge.errors import QueryBlank, QueryInvalid, QueryTooLong
from medkg_lab.knowledge.facts import Fact
from medkg_lab.knowledge.query import MAX_CHARACTERS, And, Kind, Not, Or, Query, Term, read

GOUT, COLCHICINE = Term("gout"), Term("colchicine")
WRITTEN = st.lists(
    st.sampled_from(
        [
            "gout",
            "AND",
            "OR",
            "NOT",
            "(",
            ")",
            '"',
            '"a b"',
            "title:",
            "year:2020",
            "metf*",
            "*",
            "author:",
            "10.1000/x",
            "-",
            "é",
        ]
    ),
    max_size=12,
).map(" ".join)


@pytest.mark.parametrize(
    "query",
    [
        "gout and colchicine",
        "IL-6 (interleukin 6) in sepsis",
        "Colchicine after infarction: a trial",
        "dose 1:4",
        "HLA-B*57:01",
        "title: x",
    ],
)
def test_plain_words_are_no_condition(query: str) -> None:
    assert read(query).condition is None
    assert read(query).plain.split() == query.replace("(", "").replace(")", "").split()


@pytest.mark.parametrize(
    ("query", "plain", "condition"),
    [
        ("colchicine AND NOT gout", "", And((COLCHICINE, Not(GOUT)))),
        ("colchicine NOT gout", "colchicine", And((Not(GOUT),))),
        ("colchicine OR gout", "", Or((COLCHICINE, GOUT))),
        ("a b AND gout", "", And((And((Term("a"), Term("b"))), GOUT))),
        ("gout AND (a OR b)", "", And((GOUT, Or((Term("a"), Term("b")))))),
        ('gout "exact phrase"', "gout", Term("exact phrase", Kind.PHRASE)),
        ("“exact phrase”", "", Term("exact phrase", Kind.PHRASE)),
        ("colch*", "", Term("colch", Kind.PREFIX)),
        ("title:gout", "", Term("gout", field="title")),
        ('title:"acute gout" pain', "pain", Term("acute gout", Kind.PHRASE, "title")),
        ("title:(gout OR pain)", "", Or((Term("gout", field="title"), Term("pain", field="title")))),
        ("author:Zzmueller", "", Fact("author", "zzmueller")),
        ('author:"van der Berg"', "", Fact("author", "van der berg")),
        ("AUTHOR:Zz*", "", Fact("author", "zz", is_prefix=True)),
        ("year:2018-2020", "", Fact("year", "2018-2020", years=(2018, 2020))),
        ("doi:10.1016/S0140-6736(20)30183-5", "", Fact("id", "10.1016/S0140-6736(20)30183-5")),
        ("DOI: 10.1016/S0140-6736(20)30183-5.", "DOI: 10.1016/S0140-6736(20)30183-5", None),
        ("see (10.1000/x(1)), gout", "see 10.1000/x(1) , gout", None),
        ("PMID: 12345678", "PMID: 12345678", None),
        ("pmid:12345678", "", Fact("id", "12345678")),
        ("phase:III results:yes", "", And((Fact("phase", "3"), Fact("results", "yes")))),
        ("status:not-yet-recruiting", "", Fact("status", "not_yet_recruiting")),
        ("https://doi.org/10.1/x(y)z", "https://doi.org/10.1/x(y)z", None),
    ],
)
def test_what_is_read(query: str, plain: str, condition: object) -> None:
    assert read(query) == Query(query, plain, condition)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "position", "says"),
    [
        ('gout "acute', 6, "quotation mark"),
        ('"', 1, "quotation mark"),
        ('"..."', 1, "no word"),
        ("(gout", 1, "not closed"),
        ("gout)", 5, "closes nothing"),
        ("()", 1, "nothing between"),
        ("gout AND", 9, "missing"),
        ("AND gout", 1, "missing"),
        ("gout OR OR pain", 9, "missing"),
        ("gout NOT", 6, "followed by nothing"),
        ("NOT gout", 1, "only says what is not wanted"),
        ("gout OR NOT pain", 9, "NOT"),
        ("*", 1, "first 2 letters"),
        ("gout a*", 6, "first 2 letters"),
        ("autor:Smith", 1, "Did you mean author?"),
        ("gout zzz:Smith", 6, "no field zzz"),
        ("year:soon", 6, "year is such as"),
        ("gout year:2020-2010", 11, "end before they begin"),
        ("phase:9", 7, "phase is"),
        ("results:perhaps", 9, "yes or no"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(query: str, position: int, says: str) -> None:
    with pytest.raises(QueryInvalid) as raised:
        read(query)
    assert (raised.value.fields["position"], says in str(raised.value)) == (position, True), str(raised.value)


def test_blank_and_too_long_queries_are_told() -> None:
    for blank in ("", " \t\n"):
        with pytest.raises(QueryBlank):
            read(blank)
    read("a" * MAX_CHARACTERS)
    with pytest.raises(QueryTooLong, match="16385 characters"):
        read("a" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize("query", ["(" * 200 + "gout" + ")" * 200, " AND ".join(["gout"] * 100)])
def test_what_is_too_deep_or_too_much_is_told(query: str) -> None:
    with pytest.raises(QueryInvalid):
        read(query)


@given(st.one_of(st.text(max_size=40), WRITTEN))
def test_any_text_is_read_or_told(text: str) -> None:
    with contextlib.suppress(QueryInvalid, QueryBlank):
        assert read(text).text == text
