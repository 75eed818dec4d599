"""Pictures for the eye, of whatever decloud reads or writes: sequences, results, trees of published patches."""
