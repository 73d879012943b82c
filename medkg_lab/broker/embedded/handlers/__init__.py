"""The answers to Kafka requests, one module per area; `registry.py` lists what is offered in which versions."""
