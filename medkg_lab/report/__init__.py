"""A report of a lab as one page: what became of its documents, how long it took, what was decided, and the graph."""
