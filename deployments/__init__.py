"""Where and how it runs: deployments, registration of blocks, the demo, and the sandbox."""
