"""Generators and discriminators: plain nn.Modules, one file per family, found by module name."""
