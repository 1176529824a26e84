"""What tests share. Modules that contain fixtures are listed in ``tests/conftest.py``."""
