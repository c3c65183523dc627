"""Trusted Python of AutoAI, and the supervisor of what is not trusted."""
