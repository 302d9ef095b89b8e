"""The ALCF Inference Endpoints in a notebook, with the queue in view."""
