"""Addresses without their passwords, for messages and logs."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/*|/*")
_HIDDEN = "***"
_MIN_WORD = 3


def without_password(url: str) -> str:
    """A URL without user, password, query and fragment; also of text that is no URL, such as one without a scheme.

    Where it is unclear what belongs to the password, more is left out.
    """
    scheme, rest = "", url
    begin = _SCHEME.match(url)
    if begin is not None and ("/" in begin[0] or "@" not in url):
        scheme, rest = url[: begin.end()], url[begin.end() :]
    before, at, host = rest.rpartition("@")
    if at and ("?" in before or "#" in before):
        # The password, or a query with a mail address in it.
        return f"{scheme}{_HIDDEN}"
    return scheme + re.split("[?#;]", host, maxsplit=1)[0]


def reason(error: Exception, url: str) -> str:
    """What a library says about an address; its error's class alone where it would quote what is not shown."""
    text = str(error)
    hidden = _words(url) - _words(without_password(url))
    return text if text and not any(word in text for word in hidden) else type(error).__name__


def _words(text: str) -> set[str]:
    return {word for word in re.split(r"\W+", text) if len(word) >= _MIN_WORD}
