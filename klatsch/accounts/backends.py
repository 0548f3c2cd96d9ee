"""Signing in by username or by e-mail address."""

from django.contrib.auth.backends import ModelBackend


class UsernameOrEmailBackend(ModelBackend):
    pass
