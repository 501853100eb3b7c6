"""Pure decisions: values in, values out; no clock, random, environment or I/O."""
