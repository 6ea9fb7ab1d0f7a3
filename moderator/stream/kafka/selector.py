"""The selector that Kafka's clients wait with.

They ask before each read and write whether the socket is registered, and it seldom is. Python's own selectors then
raise an error that shows the socket, twice, for which the system is asked for its two addresses each time: a fifth of
the work of a producer's network thread.
"""

from selectors import DefaultSelector, SelectorKey
from typing import Any


class QuickSelector(DefaultSelector):
    """Python's default selector, except that the KeyError for what is not registered does not show it."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[int, SelectorKey] = {}  # by the file's number, as the base class has them

    def get_key(self, fileobj: Any) -> SelectorKey:
        """Give the key of a registered file.

        Raises:
            KeyError: it is not registered.
            ValueError: it is closed, and was not registered.
        """
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return self._keys[number] if number >= 0 else super().get_key(fileobj)

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """As the base class."""
        key = super().register(fileobj, events, data)
        self._keys[key.fd] = key
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """As the base class, which forgets a file for which it fails."""
        number = self.get_key(fileobj).fd
        try:
            key = self._keys[number] = super().modify(fileobj, events, data)
        except OSError:
            self._keys.pop(number)
            raise
        return key

    def unregister(self, fileobj: Any) -> SelectorKey:
        """As the base class."""
        key = super().unregister(fileobj)
        self._keys.pop(key.fd, None)
        return key

    def close(self) -> None:
        """As the base class."""
        self._keys.clear()
        super().close()
