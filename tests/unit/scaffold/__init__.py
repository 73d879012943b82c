"""Tests of what `medkg-lab new` makes."""
