"""Several runs of one small experiment, trained at once in one process: a pack, of which each run is a member."""
