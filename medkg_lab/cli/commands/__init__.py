"""One module per noun: each adds its commands to the parser and imports nothing heavy until one of them runs."""
