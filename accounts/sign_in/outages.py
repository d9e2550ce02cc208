"""A source that cannot be asked. It is no failed sign-in: nobody's password was wrong."""

from accounts.models.sources import SignInSource
from accounts.stored_messages import Message


class SourceDown(Exception):
    """`message` tells administrators what is wrong. People are told that the source is not responding.

    It is no news where it was found out a moment ago, and where only the portal is busy.
    """

    def __init__(self, source: SignInSource, message: Message, *, is_news: bool = True) -> None:
        super().__init__(message)
        self.source, self.message, self.is_news = source, message, is_news
        self.was_tried = False  # whether another source knows the name, and the password was wrong there
