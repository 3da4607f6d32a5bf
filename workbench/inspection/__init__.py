"""What the compiler made of a kernel, read with no GPU: begin with report.py."""
