"""Knowledge-graph stages: putting what was extracted from a document into the graph."""
