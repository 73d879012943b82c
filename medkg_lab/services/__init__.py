"""The servers that a profile names, such as vLLM: each is started and watched by a process of the lab's own."""
