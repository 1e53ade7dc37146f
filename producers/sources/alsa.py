"""ALSA, the sound system of Linux: suppresses its output on the terminal."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

ZEROS = "generate zero samples"
"""Part of the name of ALSA's null input, which would look like a microphone in a silent room."""

_HANDLER = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)  # file, line, function, error, format


@cache
def quieten() -> Any:
    """Suppresses the messages of ALSA's library on standard error: dozens of lines without a sound card.

    Errors are still returned by its calls. Does nothing without the library.

    Returns:
        The handler, which must live as long as the library.
    """
    try:
        library = ctypes.CDLL("libasound.so.2")
    except OSError:
        return None
    handler = _HANDLER(lambda *_: None)
    library.snd_lib_error_set_handler(handler)
    return handler
