"""The ASGI side: routes, middleware and the life of the process."""
