"""In which order: the Prefect flows, and the command line over them."""
