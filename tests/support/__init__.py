"""What tests share: worlds, scenes, clocks, builders and platforms."""
