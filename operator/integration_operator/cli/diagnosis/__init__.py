"""What ``doctor`` looks at: each module returns findings about one part of an installation."""
