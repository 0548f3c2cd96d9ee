"""Many people who show each other lose their gateway, and come back to one that knows nobody."""
