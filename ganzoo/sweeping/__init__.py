"""A W&B sweep file -> trials, on this machine, on W&B, on SLURM."""
