"""The live view of a running sidecar: what is asked, what is heard, how it is drawn."""
