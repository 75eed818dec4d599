"""What we sign with the deployment's secrets: addresses that need no key, notices whose receivers know us by them."""
