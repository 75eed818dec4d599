"""Signatures made with the deployment's secrets: of addresses that need no key, of notices."""
