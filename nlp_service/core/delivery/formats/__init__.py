"""One file a channel: from what is to be said to what is sent."""
