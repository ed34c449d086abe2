"""Notes and errors in plain words."""

import contextlib
import sys
import warnings


@contextlib.contextmanager
def notes_in_plain_words():
    """Show warnings without the file and line of the code that gave them."""
    with warnings.catch_warnings():
        warnings.showwarning = _show
        yield


def _show(message, category, filename, lineno, file=None, line=None):
    print(f"Note: {message}", file=sys.stderr)


@contextlib.contextmanager
def errors_in_a_sentence():
    """End the command with the message of an error that its user can mend."""
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        refuse(error, error)


def refuse(message, cause=None):
    """End the command with a message."""
    raise SystemExit(f"sklearn-cae: {message}") from cause
