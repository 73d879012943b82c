"""The screen: a Textual program on the facade that the command line uses too."""
