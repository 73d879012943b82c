"""The lab's index for Haystack: `from medkg_lab.haystack import LabDocumentStore, LabRetriever`."""

from haystack.core.serialization import allow_deserialization_module

from medkg_lab.haystack.retriever import LabRetriever
from medkg_lab.haystack.store import LabDocumentStore

__all__ = ["LabDocumentStore", "LabRetriever"]

# Whoever imports this means to use it: a pipeline's YAML may name it.
allow_deserialization_module("medkg_lab.haystack.retriever")
