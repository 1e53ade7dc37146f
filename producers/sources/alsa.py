"""ALSA, the sound system under Linux, kept from speaking to the user's terminal."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

ZEROS = "generate zero samples"
"""In the name of ALSA's input that hears nothing: it would pass for a microphone in a silent room."""

_HANDLER = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)  # file, line, function, error, format


@cache
def quieten() -> Any:
    """Drops what ALSA's library writes to standard error: dozens of lines where there is no card.

    What matters of it comes back as an error of the call. Without the library there is nothing to do.

    Returns:
        What has to live as long as the library: the handler.
    """
    try:
        library = ctypes.CDLL("libasound.so.2")
    except OSError:
        return None
    handler = _HANDLER(lambda *_: None)
    library.snd_lib_error_set_handler(handler)
    return handler
