"""The restaurant: the built-in sample with a menu, stock, orders, reports and guests' feedback."""
