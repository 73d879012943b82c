"""Redpanda as the lab's broker: found on this machine, configured, started and watched. The lab does not bring it along."""
