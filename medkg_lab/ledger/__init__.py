"""The job ledger: an append-only log of what happened, the state folded from it, and the one process that writes both."""
