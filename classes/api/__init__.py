"""Classes in the API."""

from ninja import Router

from classes.api import classes

router = Router()
router.add_router("", classes.router)
