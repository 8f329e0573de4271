"""What the connectors to Atlassian's products share: addresses, credentials, errors, rich text."""
