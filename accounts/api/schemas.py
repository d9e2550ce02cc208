"""Types of the API's parameters and fields. Times are RFC 3339 in UTC."""

from typing import Annotated

from django.core.exceptions import ValidationError
from pydantic import AfterValidator, Field

from accounts.printable import validate_printable_line


def _line(text: str) -> str:
    try:
        validate_printable_line(text)
    except ValidationError as error:
        raise ValueError(" ".join(error.messages)) from None
    return text


Line = Annotated[str, AfterValidator(_line)]  # without control characters
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
