"""What we talk to: configuration, secrets and clients of the providers, and the archive."""
