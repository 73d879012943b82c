"""The ledger's events in the forms that others read."""
