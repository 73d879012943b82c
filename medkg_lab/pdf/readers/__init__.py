"""Readers of converters' formats: from their JSON to the lab's intermediate representation."""
