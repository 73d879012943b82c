"""A JATS article (or its NLM predecessor) as a Document."""

from medkg_lab.models.documents import Block, BlockKind, Document, Place
from medkg_lab.stages.parse.errors import EmptyDocument, LegacyRegistryXml, NotAnArticle, OpenAccessRefusal
from medkg_lab.stages.parse.jats_body import BodyReader
from medkg_lab.stages.parse.jats_doubts import find_doubts
from medkg_lab.stages.parse.jats_front import Front, read_front
from medkg_lab.stages.parse.jats_inline import inline_text
from medkg_lab.stages.parse.paths import Paths
from medkg_lab.stages.parse.text import squeeze
from medkg_lab.stages.parse.xml import Element, child, children, local_name, parse_xml

_FLOATS = "Figures and tables"
_MAX_ROOT_NAME = 60


def parse_jats(data: bytes, doc_id: str, source: str) -> Document:
    """Read one article. Raises a DocumentError that says what the file is instead, or where it breaks off."""
    article = find_article(parse_xml(data))
    paths = Paths()
    front = read_front(article, paths)
    reader = BodyReader(paths)
    _read_abstracts(reader, article)
    _read_parts(reader, article, (), paths)
    warnings = [*front.warnings, *find_doubts(article)]
    if not reader.blocks and not front.title:
        raise EmptyDocument(what="article", detail="there is no title, abstract or body")
    if not reader.blocks:
        warnings.append("the article has a title but neither abstract nor body")
    if not front.title:
        warnings.append("the article has no title")
    return Document(
        doc_id=doc_id,
        source=source,
        title=front.title or doc_id,
        language=front.language,
        identifiers=front.identifiers,
        metadata=front.metadata,
        blocks=(*_title_block(front, paths), *reader.blocks),
        codes=tuple(front.codes),
        warnings=tuple(warnings),
    )


def find_article(root: Element) -> Element:
    """The one article in a file whose root is `root`; a set with a single article will do. Raises NotAnArticle and others."""
    name = local_name(root)
    if name == "article":
        return root
    if name == "pmc-articleset":
        articles = children(root, "article")
        if len(articles) == 1:
            return articles[0]
        if not articles:
            raise OpenAccessRefusal(code="pmc-articleset", detail=inline_text(root)[:200] or "the set is empty")
        raise NotAnArticle(
            detail=f"it is a set of {len(articles)} articles, which `medkg-lab submit` splits before they are parsed"
        )
    if name == "OA":
        error = child(root, "error")
        if error is not None:
            raise OpenAccessRefusal(code=error.get("code", "error"), detail=inline_text(error)[:200])
    if name == "clinical_study":
        numbers = [item.text or "" for item in root.iter() if local_name(item) == "nct_id"]
        raise LegacyRegistryXml(nct=squeeze(numbers[0])[:20] if numbers else "NCT...")
    raise NotAnArticle(detail=f"its root element is <{name[:_MAX_ROOT_NAME]}>")


def _title_block(front: Front, paths: Paths) -> tuple[Block, ...]:
    if not front.title or front.title_element is None:
        return ()
    place = Place(element=paths.of(front.title_element))
    return (Block(kind=BlockKind.TITLE, text=front.title, place=place),)


def _read_abstracts(reader: BodyReader, article: Element) -> None:
    reader.paragraph_kind = BlockKind.ABSTRACT
    for front in children(article, "front", "front-stub"):
        meta = child(front, "article-meta")
        for abstract in children(meta if meta is not None else front, "abstract", "trans-abstract"):
            kind = (abstract.get("abstract-type") or "").replace("-", " ").strip()
            language = abstract.get("{http://www.w3.org/XML/1998/namespace}lang", "")
            name = "Abstract" if not kind or kind.lower() == "abstract" else f"Abstract ({kind})"
            if local_name(abstract) == "trans-abstract":
                name = f"Abstract ({language or 'translation'})"
            reader.container(abstract, (), name)
    reader.paragraph_kind = BlockKind.PARAGRAPH


def _read_parts(reader: BodyReader, article: Element, section: tuple[str, ...], paths: Paths) -> None:
    """Body, back matter and floats; sub-articles follow as top sections of their own."""
    for part in article:
        match local_name(part):
            case "body" | "back":
                reader.walk(part, section)
            case "floats-group" | "floats-wrap":
                reader.walk(part, (*section, _FLOATS))
            case "sub-article" | "response":
                _read_sub_article(reader, part, paths)


def _read_sub_article(reader: BodyReader, article: Element, paths: Paths) -> None:
    front = read_front(article, paths)
    kind = str(front.metadata.get("article_type", "sub-article")).replace("-", " ").capitalize()
    name = front.title or kind
    title = front.title_element
    reader.add(BlockKind.HEADING, name, (name,), title if title is not None else article)
    head = child(article, "front-stub", "front")
    for abstract in children(head, "abstract") if head is not None else ():
        reader.container(abstract, (name,), "Abstract")
    _read_parts(reader, article, (name,), paths)
