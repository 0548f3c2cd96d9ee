"""A stored message."""

from django.db import models


class Message(models.Model):
    room = models.CharField(max_length=100, db_index=True)
    content = models.TextField()
    sent_at = models.DateTimeField(auto_now_add=True)

    objects: "models.Manager[Message]" = models.Manager()

    class Meta:
        app_label = "chat"

    def __str__(self) -> str:
        return f"message {self.pk}"
