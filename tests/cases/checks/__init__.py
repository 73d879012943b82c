"""The checks, one module per area; `tests.cases.case.case` registers them."""
