"""Methods: one paper, one file, readable beside the paper."""
