"""Pipelines as data: their models, how YAML files become them, their graph and their versions."""
