"""The supervisor, labd: it owns the lab's processes, and the command line and the screen are its clients."""
