"""From PDF to document: requests from the topic, a converter under limits, and the evidence that opens a gate."""
