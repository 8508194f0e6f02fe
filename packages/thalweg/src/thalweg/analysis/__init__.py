"""What a trained network is: stiffness along the way, and the kind of point it ended at."""
