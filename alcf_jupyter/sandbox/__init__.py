"""A stand-in for the ALCF inference service: a real local HTTP server that speaks its contract.

Run it with ``python -m alcf_jupyter.sandbox``. It binds the loopback address only, asks for a
secret made for this run, answers with plainly named deterministic models, and can be told to fail
in every way the real service has been seen to fail. It imports nothing of the rest of the package,
so that the client and the stand-in are two independent readings of the contract.
"""
