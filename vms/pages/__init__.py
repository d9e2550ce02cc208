"""The pages about machines, one module for each page or call."""
