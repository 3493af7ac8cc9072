"""What ganzoo needs of SLURM: the queue, what was submitted, and two commands that tell and end it."""
