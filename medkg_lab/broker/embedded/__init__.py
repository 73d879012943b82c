"""A single-node Kafka-protocol broker with durable logs, run as a process of its own.

What it promises: a produce request is acknowledged only after fdatasync, consumers see only what fdatasync has kept,
recovery cuts a torn tail and nothing else, idempotent producers stay so over restarts, and no input from a socket ends the
process. What it does not do: replication, transactions, compaction, access control, addresses other than loopback.
"""
