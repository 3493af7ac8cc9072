"""Run directories -> tables that compare them. No torch here."""
