"""The process that shows the lab to Prometheus: counts of the ledger's events, gauges, and health, on one loopback port."""
