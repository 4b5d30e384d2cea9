"""How fast usmicro is, beside other libraries in the same process and beside what the machine allows."""
