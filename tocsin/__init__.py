"""The command line, the settings and the local stack."""
