"""The stage that fetches the full text which an ingested record points to."""
