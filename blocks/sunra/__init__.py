"""Sunra's API: credentials, client, and how it keeps our contract."""
