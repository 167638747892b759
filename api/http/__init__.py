"""The HTTP service: an application, its routes and their responses."""
