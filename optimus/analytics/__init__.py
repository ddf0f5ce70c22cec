"""What was asked, what it took and what memory did for it: sums for the screen, from numbers and ids alone."""
