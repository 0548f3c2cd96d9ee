"""People who send, change and mark messages over WebSockets, each with a window of unanswered operations."""
