"""One file per GAN, found by module name."""
