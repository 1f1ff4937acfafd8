"""What programs that we did not write say: of each other's volumes, and of ours."""
