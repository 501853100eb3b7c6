"""Files as rows, and labelled rows as files that survive a kill at any moment."""
