"""What we do: the domain models, pure steps, and thin Prefect tasks over them."""
