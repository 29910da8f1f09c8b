"""What people type: arguments, the flow or question that each command stands for, and what the terminal shows."""
