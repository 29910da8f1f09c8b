"""The certificate with which exports are signed."""
