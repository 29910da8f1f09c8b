"""A local stand-in for both picture providers: their APIs over real HTTP, real pictures, no account and no bill.

Written from the providers' own documents and nothing else. It imports nothing of ours, so that a client and the
sandbox cannot share a mistake.

``python -m deployments.sandbox --port 8700`` serves Scenario and Sunra at ``http://127.0.0.1:8700/v1``.
"""
