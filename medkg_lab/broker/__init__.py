"""The event broker: the embedded Kafka-protocol broker, the choice of engine, the lab's topics and its Kafka clients."""
