"""Retries, circuit breakers, rate limits, time-outs and deadlines around a stage's calls, by named policy."""
