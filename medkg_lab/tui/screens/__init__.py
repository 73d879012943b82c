"""A folder for each mode of the screen: what it shows, what it renders, what it asks."""
