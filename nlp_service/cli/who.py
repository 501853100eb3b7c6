"""Under which name the command line acts in the audit log."""

BY = "command line"
