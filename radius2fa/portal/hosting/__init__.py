"""The web server below the portal's pages: sockets, TLS, the limits of HTTP, threads. Only this room has Twisted."""
