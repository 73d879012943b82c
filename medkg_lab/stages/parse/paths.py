"""Where elements stand in their file, as XPath: what lxml's `getpath` gives, without counting siblings again for each of them."""

from collections import Counter

from medkg_lab.stages.parse.xml import Element

_ANY = "*"


class Paths:
    """The paths of one tree's elements, such as `/article/body/p[2]`; the tree must not change meanwhile.

    The form is libxml2's (`xmlGetNodePath`): the position is skipped where no sibling has the name, and an element of a default
    namespace is `*`.
    """

    def __init__(self) -> None:
        self._known: dict[Element, str] = {}

    def of(self, element: Element) -> str:
        """The path of `element`."""
        if element not in self._known:
            parent = element.getparent()
            if parent is None:
                self._known[element] = f"/{_name(element)}"
            else:
                self._name_children(parent, self.of(parent))
        return self._known[element]

    def _name_children(self, parent: Element, path: str) -> None:
        elements = [item for item in parent if isinstance(item.tag, str)]
        names = [_name(item) for item in elements]
        totals = Counter(names)
        totals[_ANY] = len(elements)
        reached: Counter[str] = Counter()
        for place, (item, name) in enumerate(zip(elements, names, strict=True), 1):
            reached[name] += 1
            position = place if name == _ANY else reached[name]
            self._known[item] = f"{path}/{name}[{position}]" if totals[name] > 1 else f"{path}/{name}"


def _name(element: Element) -> str:
    namespace, _, local = str(element.tag).rpartition("}")
    if not namespace:
        return local
    return f"{element.prefix}:{local}" if element.prefix else _ANY
