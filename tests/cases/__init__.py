"""The cases of the shared folder: small inputs that once went wrong, each with a check of what should come out."""
