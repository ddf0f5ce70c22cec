"""What belongs to the user: taking it along, bringing it in, and erasing it."""
