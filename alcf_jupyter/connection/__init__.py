"""Everything that goes over the network."""
