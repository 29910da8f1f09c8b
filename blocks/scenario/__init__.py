"""Scenario: FLUX.2 [klein] 4B Base behind api.cloud.scenario.com, as client, provider and credentials block."""
