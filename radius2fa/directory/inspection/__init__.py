"""Owns the parts of an inspection of a directory's servers: TLS, the bind, what is read, the time, the rights."""
