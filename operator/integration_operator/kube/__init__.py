"""The Kubernetes API as the operator needs it: one client, one reflector per kind, one store per kind."""
