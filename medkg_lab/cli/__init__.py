"""The command line: stdout is data, stderr is the rest; heavy imports happen inside the command that needs them."""
