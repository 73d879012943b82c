"""Names that only others use: what vulture must not report as unused."""
