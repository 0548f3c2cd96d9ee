"""The pages of the site."""

from chat import views
from django.urls import path

urlpatterns = [path("", views.index), path("chat/<slug:room>/", views.room)]
