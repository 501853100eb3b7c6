"""What people say a message is: their labels, where they agree, and how the models do by them."""
