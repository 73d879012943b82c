"""Tests of what is given away: wheels, and the environments that are made of them."""
