"""Who logged in, in a signed cookie; and tokens for forms, which only our own pages carry. Nothing is stored."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from pydantic import SecretStr

from moderator.settings.tokens import tokens_of

COOKIE: Final = "moderator_console"
LIFETIME_S: Final = 12 * 3_600
_LONGEST: Final = 1_024


class Session(NamedTuple):
    """A login that still counts."""

    name: str
    cookie: str


class Sessions:
    """Makes and checks sessions; each is void once the token that opened it is no longer set.

    Args:
        secret: the tokens, checked already; None: there are none, and nobody can log in.
        now_ms: the clock.
    """

    def __init__(self, secret: SecretStr | None, now_ms: Callable[[], int]) -> None:
        self._keys = [_key(token) for token in tokens_of(secret)]
        self._now_ms = now_ms
        # several consoles behind one address must take one another's forms
        self._form_key = b"".join(self._keys) or secrets.token_bytes(32)

    def begin(self, name: str, token: str) -> str:
        """Give the cookie for a person who logged in with a token that opens."""
        ends_s = self._now_ms() // 1_000 + LIFETIME_S
        said = f"{ends_s}.{base64.urlsafe_b64encode(name.encode()).decode()}"
        return f"{said}.{_sign(_key(token.strip()), said)}"

    def read(self, cookie: str | None) -> Session | None:
        """Give the session of a cookie; None where it is none of ours, or over."""
        if not cookie or len(cookie) > _LONGEST:
            return None
        said, _, signature = cookie.rpartition(".")
        ends, _, name = said.partition(".")
        is_ours = [hmac.compare_digest(_sign(key, said).encode(), signature.encode()) for key in self._keys]
        if not any(is_ours) or int(ends) * 1_000 <= self._now_ms():
            return None
        try:
            return Session(base64.urlsafe_b64decode(name).decode(), cookie)
        except (binascii.Error, UnicodeDecodeError):
            return None

    def form_token(self, who: str) -> str:
        """Give what a form must carry; `who` is the session's cookie, or else who asks, empty for the login form."""
        return _sign(self._form_key, f"form {who}")

    def is_form_token(self, token: str, who: str) -> bool:
        """Check whether a form is one of ours, made for whoever sends it."""
        return hmac.compare_digest(self.form_token(who).encode(), token.encode("utf-8", "surrogateescape"))


def _key(token: str) -> bytes:
    return hashlib.sha256(b"moderator console session " + token.encode()).digest()


def _sign(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
