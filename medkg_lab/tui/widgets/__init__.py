"""The parts that the modes are put together from."""
