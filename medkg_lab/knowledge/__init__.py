"""What the lab knows: passages for search and a graph of statements, kept by one process.

DuckDB holds the truth; the text index (tantivy) and the vector index (FAISS) are derived from it and brought back from it when
they are missing, behind or broken. What a job writes is a generation of its document: staged until the job completes, then
published, and with that it takes the place of the document's older generation.
"""
