"""Owns sockets, threads and time: from the datagram to the worker thread and back."""
