"""Speed beside other libraries in the same process, and beside the limits of the machine."""
