"""The process that tells an OpenLineage service, or a file, which run made which artifact of which."""
