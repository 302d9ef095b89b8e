"""Requests over the network: one host, few connections, a pace."""
