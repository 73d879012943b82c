"""The Gate mode."""
