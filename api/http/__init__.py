"""The HTTP service: an application, its routes and its answers."""
