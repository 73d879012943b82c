"""Measurements of the lab's parts, as ratios taken in one run."""
