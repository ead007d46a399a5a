"""Starts the real binary and its real peers, each as a process or a thread of its own, and ends them again."""
