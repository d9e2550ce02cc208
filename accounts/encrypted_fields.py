"""Secrets: encrypted in the database, masked everywhere else."""

from typing import Any, NoReturn

from cryptography.fernet import InvalidToken
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from django.utils.crypto import constant_time_compare
from encrypted_model_fields import fields as encrypted

from accounts.sentences import say

MASK = "***"


class SecretUnreadable(Exception):
    """The stored ciphertext was not written with any key of FIELD_ENCRYPTION_KEY, or is no ciphertext."""

    def __init__(self) -> None:
        super().__init__(say("credential-unreadable"))


class Secret:
    """A credential that does not show itself: `str`, `repr` and formatting give `***`, pickling is refused.

    It holds ciphertext, plaintext, or both. Only `reveal()` decrypts.
    """

    __slots__ = ("_ciphertext", "_plaintext", "is_stored")

    def __init__(self, plaintext: str | None = None, *, ciphertext: str | None = None) -> None:
        self._plaintext = plaintext
        self._ciphertext = ciphertext
        self.is_stored = False  # whether this very secret is what the database holds

    def reveal(self) -> str:
        if self._plaintext is None:
            try:
                self._plaintext = encrypted.decrypt_str(self._ciphertext or "")
            except InvalidToken:
                raise SecretUnreadable from None
        return self._plaintext

    @property
    def is_readable(self) -> bool:
        return self.matches(self)

    def matches(self, other: "Secret | None") -> bool:
        """Whether both are the same text. What cannot be read matches nothing."""
        try:
            return other is not None and constant_time_compare(self.reveal(), other.reveal())
        except SecretUnreadable:
            return False

    def encrypted(self) -> str:
        """The ciphertext: the stored one byte for byte, or a fresh one under the first key."""
        if self._ciphertext is None:
            self._ciphertext = encrypted.encrypt_str(self._plaintext or "").decode()
        return self._ciphertext

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return MASK

    def __deepcopy__(self, memo: dict[int, object]) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled.")


class SecretAttribute(DeferredAttribute):
    """Wraps what is assigned, so that a plain string never stays on an instance."""

    def __set__(self, instance: models.Model, value: object) -> None:
        instance.__dict__[self.field.attname] = self.field.to_python(value)


class EncryptedSecretField(encrypted.EncryptedTextField):  # type: ignore[misc]
    """A nullable text column of ciphertext whose Python value is a `Secret`. Empty means none: NULL.

    The package's own field returns the ciphertext as the value when the key is wrong and encrypts it again on
    save, decrypts any token typed into a form, and lets queryset expressions store their own repr. This one
    decrypts on `reveal()` alone, writes an untouched value back byte-identical, and refuses expressions.
    """

    descriptor_class = SecretAttribute

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(null=True, blank=True)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """Migrations see a column of text: they go on running when this class has another name."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs

    def to_python(self, value: Any) -> Secret | None:
        if value is None or isinstance(value, Secret):
            return value
        if hasattr(value, "resolve_expression"):
            raise TypeError("An encrypted field takes a value, not an expression.")
        return Secret(str(value)) if value else None

    def from_db_value(self, value: str | None, *args: Any) -> Secret | None:
        if not value:
            return None
        secret = Secret(ciphertext=value)
        secret.is_stored = True
        return secret

    def get_prep_value(self, value: Any) -> str | None:
        secret = self.to_python(value)
        return secret.encrypted() if secret else None

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if not hasattr(value, "as_sql"):
            return self.get_prep_value(value)
        # bulk_update wraps values in expressions of this field, which come back here one by one.
        if isinstance(value._output_field_or_none, EncryptedSecretField):
            return value
        raise TypeError("An encrypted field takes a value, not an expression.")

    def get_lookup(self, lookup_name: str) -> Any:
        """Ciphertext has no order and no equality: only `isnull` means anything."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def value_to_string(self, obj: models.Model) -> str:
        """Fixtures carry no secrets, not even encrypted ones."""
        return ""

    def formfield(self, **kwargs: Any) -> None:
        """A secret is written through a form field of its own and never shown."""
        return
