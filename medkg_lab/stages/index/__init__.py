"""Index stages: putting a document's passages and vectors where searches find them."""
