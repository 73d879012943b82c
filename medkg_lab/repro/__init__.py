"""Reproducing an incident from one archive: recorded in one lab, run again in another, compared stage by stage."""
