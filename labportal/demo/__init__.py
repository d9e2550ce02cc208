"""`bin/demo`: the portal on simulated clusters, in a folder that is thrown away."""
