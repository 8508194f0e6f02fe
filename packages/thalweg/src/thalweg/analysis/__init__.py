"""Analysis of a trained network: stiffness along the trajectory, and the kind of its end point."""
