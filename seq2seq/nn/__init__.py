"""Networks, their losses, weights and devices. The only folder beside `methods` that needs torch."""
