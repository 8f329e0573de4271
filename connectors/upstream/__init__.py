"""What every connector uses to reach the outside."""
