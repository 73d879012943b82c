"""Dagster in the lab: topologies as its jobs, its engine behind every batch, its run store as a view of the ledger."""
