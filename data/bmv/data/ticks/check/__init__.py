"""What can be said of ticks before anybody trades on them."""
