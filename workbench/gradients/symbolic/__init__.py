"""What :func:`workbench.derive` is made of: reading, recognition, printing, truth, stability, comparison."""
