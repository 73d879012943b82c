"""The commands: each decides, from the state alone, which events follow, or refuses.

A command neither changes the state nor reads a clock; the writer stamps, folds and keeps what it decided.
"""
