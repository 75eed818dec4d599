"""What keeps jobs moving beside the rows they are: who works, who is woken, and what is set right when nobody does."""
