"""Hours of clients that do everything wrong beside some that must lose nothing; see Tests/soak."""
