"""The one reader of XML takes nothing from outside the bytes that it is given."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.xml_source import NotXml, local_name, parse_xml, text_of, walk

BOMB = b'<!DOCTYPE a [<!ENTITY x "ha">' + b"".join(
    b'<!ENTITY x%d "%s">' % (n, (b"&x%d;" % (n - 1) if n else b"&x;") * 10) for n in range(9)
) + b"]><a>&x8;</a>"  # fmt: skip


def test_an_entity_is_not_expanded() -> None:
    assert "ha" not in text_of(parse_xml(b'<!DOCTYPE a [<!ENTITY x "ha">]><a>&x;</a>'))


def test_a_bomb_of_entities_is_refused() -> None:
    with pytest.raises(NotXml, match="amplification"):
        parse_xml(BOMB)


def test_no_file_is_read_for_a_document(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "a.dtd").write_text('<!ATTLIST a b CDATA "secret">')
    entity = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{(tmp_path / "secret").as_uri()}">]><a>&x;</a>'
    http = f'<!DOCTYPE a SYSTEM "{(tmp_path / "a.dtd").as_uri()}"><a/>'
    assert "secret" not in text_of(parse_xml(entity.encode()))
    assert parse_xml(http.encode()).attrib == {}
    assert ["secret" in text_of(one) for one in walk(io.BytesIO(entity.encode()), ("a",))] == [False]


@pytest.mark.parametrize(
    "data", [b"", b"text", b"<a>", b"<a/><b/>", b"<a>" * 100_000, b"\x00", b"<a>" + b"x" * 11_000_000]
)
def test_what_is_not_xml_is_refused_on_one_line(data: bytes) -> None:
    with pytest.raises(NotXml) as raised:
        parse_xml(data)
    assert raised.value.detail
    assert "\n" not in str(raised.value)
    with pytest.raises(NotXml):
        list(walk(io.BytesIO(data), ("a",)))


def test_where_it_goes_wrong_is_said() -> None:
    with pytest.raises(NotXml, match="line 2, column "):
        parse_xml(b"<a>\n</b>")


def test_comments_and_instructions_are_left_out_of_text_alone() -> None:
    data = b"<a xmlns='u'>one<!-- no --><?no no?><b> two</b></a>"
    assert [local_name(one) for one in parse_xml(data)] == ["", "", "b"]
    assert [local_name(one) for one in parse_xml(data, text_only=True)] == ["b"]
    assert text_of(parse_xml(data, text_only=True)) == "one two"


def test_each_element_comes_alone_and_is_forgotten() -> None:
    data = b"<all>" + b"".join(b"<one>%d</one>" % number for number in range(1000)) + b"</all>"
    seen = 0
    for element in walk(io.BytesIO(data), ("one",)):
        assert text_of(element) == str(seen)
        assert len(list(element.itersiblings(preceding=True))) <= 1
        seen += 1
    assert seen == 1000


@given(st.binary(max_size=80) | st.text(alphabet="<>/a&; ='\"!-", max_size=40).map(str.encode))
def test_any_bytes_are_a_tree_or_not_xml(data: bytes) -> None:
    try:
        text_of(parse_xml(data))
    except NotXml as error:
        assert error.detail
