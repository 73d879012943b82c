"""GPUs: what NVML shows, and the guard that stops a stage that needs one where there is none."""
