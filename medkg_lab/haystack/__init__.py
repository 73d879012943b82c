"""The lab's index for Haystack: `from medkg_lab.haystack import LabDocumentStore, LabRetriever`."""

from medkg_lab.haystack.retriever import LabRetriever
from medkg_lab.haystack.store import LabDocumentStore

__all__ = ["LabDocumentStore", "LabRetriever"]
