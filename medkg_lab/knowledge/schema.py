"""The tables of the knowledge store.

There are no keys or indexes: one thread writes, it looks before it adds, and DuckDB's column statistics serve the reads (chunk
keys only ever grow). A passage's text is kept uncompressed: to read one, DuckDB would decompress the 2,048 around it.
"""

VERSION = 3

_SPARSE = """
CREATE TABLE sparse (
    generation BIGINT NOT NULL, first_key BIGINT NOT NULL, chunks BIGINT NOT NULL, model VARCHAR NOT NULL, rows BLOB NOT NULL
);
"""

UPGRADES = {1: _SPARSE, 2: "ALTER TABLE edge ADD COLUMN IF NOT EXISTS rule VARCHAR DEFAULT '';"}
"""By format, what brings a store of that format to the next."""

TABLES = (
    _SPARSE
    + """
CREATE TABLE position (name VARCHAR NOT NULL, seq BIGINT NOT NULL);
CREATE TABLE fenced (batch_id VARCHAR NOT NULL);
CREATE TABLE manifest (model VARCHAR NOT NULL, dimension INTEGER NOT NULL);
CREATE TABLE generation (
    id BIGINT NOT NULL, job_id VARCHAR NOT NULL, doc_id VARCHAR NOT NULL, tenant VARCHAR NOT NULL, state VARCHAR NOT NULL,
    text_batch VARCHAR, graph_batch VARCHAR, revision BIGINT, seq BIGINT
);
CREATE TABLE document (
    generation BIGINT NOT NULL, doc_id VARCHAR NOT NULL, tenant VARCHAR NOT NULL, source VARCHAR NOT NULL,
    title VARCHAR NOT NULL, metadata VARCHAR NOT NULL
);
CREATE TABLE chunk (
    key BIGINT NOT NULL, generation BIGINT NOT NULL, chunk_id VARCHAR NOT NULL, number INTEGER NOT NULL, kind VARCHAR NOT NULL,
    text VARCHAR USING COMPRESSION uncompressed NOT NULL, section VARCHAR[] NOT NULL, page INTEGER,
    spans VARCHAR USING COMPRESSION uncompressed NOT NULL
);
CREATE TABLE vector (
    generation BIGINT NOT NULL, first_key BIGINT NOT NULL, chunks BIGINT NOT NULL, model VARCHAR NOT NULL,
    dimension INTEGER NOT NULL, rows BLOB NOT NULL
);
CREATE TABLE node (generation BIGINT NOT NULL, node_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE edge (
    generation BIGINT NOT NULL, source VARCHAR NOT NULL, relation VARCHAR NOT NULL, target VARCHAR NOT NULL,
    doc_id VARCHAR NOT NULL, chunk_id VARCHAR, start_at INTEGER, end_at INTEGER, evidence VARCHAR NOT NULL,
    rule VARCHAR DEFAULT ''
);
CREATE TABLE mention (
    generation BIGINT NOT NULL, chunk_id VARCHAR NOT NULL, start_at INTEGER NOT NULL, end_at INTEGER NOT NULL,
    text VARCHAR NOT NULL, node_id VARCHAR NOT NULL
);
INSERT INTO position VALUES ('schema', {version}), ('ledger', 0), ('revision', 0), ('chunk', 0), ('generation', 0);
"""
)

TEXT_TABLES = ("document", "chunk", "vector", "sparse")
GRAPH_TABLES = ("node", "edge", "mention")
