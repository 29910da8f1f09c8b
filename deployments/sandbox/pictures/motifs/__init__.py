"""What pictures can show: each motif builds a scene from the prompt, a random source and a palette."""
