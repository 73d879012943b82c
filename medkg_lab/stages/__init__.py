"""The pipeline's stages: their contracts, the registry of implementations, and one folder per stage type."""
