"""Real pictures, drawn by arithmetic: the same words, seed and size give the same bytes."""
