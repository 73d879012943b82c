"""The warm worker: claims batches of jobs, runs their stages, and tells the ledger of every transition."""
