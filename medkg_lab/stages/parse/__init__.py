"""Parsing: a source's own format turned into the intermediate representation."""
