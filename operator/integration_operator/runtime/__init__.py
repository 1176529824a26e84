"""Generic machinery for Kubernetes controllers. It knows nothing of the product, and imports nothing of it."""
