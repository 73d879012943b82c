"""The bridge between the work queue and the ledger: intake one way, the outbox the other.

A stall of the broker never stalls the ledger: both sides only ever wait here.
"""
