"""One attempt over a channel: HTTP hooks, mail, Jira."""
