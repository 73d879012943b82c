"""How good the lab's results are, measured on public judgements with the lab's own code."""
