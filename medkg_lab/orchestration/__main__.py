"""`python -m medkg_lab.orchestration --home DIR`: dagsterd."""

from medkg_lab import process
from medkg_lab.orchestration.dagsterd import NAME, main

if __name__ == "__main__":
    process.run(NAME, main)
