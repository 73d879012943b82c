"""What PDF converters write, read into the intermediate representation: MinerU's shapes of every version, and docvortex's."""
