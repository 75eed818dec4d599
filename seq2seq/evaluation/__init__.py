"""Published data sets scored as their authors do: protocols, metrics by definition, published rows beside ours."""
