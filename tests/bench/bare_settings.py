"""Django with its own apps and nothing else: what every process pays."""

SECRET_KEY = "only-for-this-run"
INSTALLED_APPS = [f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions", "messages", "admin")]
USE_TZ = True
