"""The stage that turns a submission into bytes, or into one submission per document."""
