"""What every connector uses to reach a system on the network: guarded, bounded, patient by rule."""
