"""The HTTP API, as `medkg-lab serve` offers it: what the Python API can, as OpenAPI 3.1 behind tokens and scopes."""
