"""A feature service in Python: two tools and a resource for the edges of the everything server."""
