"""``make soak``: twenty connections of which five break in different ways, for some minutes."""
