"""What a person sees in Jupyter: magics, outputs, widgets, the panel; no logic of its own."""
