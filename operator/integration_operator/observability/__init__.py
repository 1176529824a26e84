"""What the operator shows of itself: metrics and logs."""
