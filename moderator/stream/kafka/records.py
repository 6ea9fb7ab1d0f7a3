"""Reads records whose header names are not UTF-8, which the client refuses together with their whole batch."""

from typing import Any, Final

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

_NONE: Final = -1


def read_any_header_name() -> None:
    """Let every consumer of this process read them, with an escape for each byte that is not UTF-8."""
    memory_records.DefaultRecordBatch = TolerantBatch


class TolerantBatch(DefaultRecordBatch):  # type: ignore[misc]  # the client ships no types
    """A batch of records (format 2); only a record that the client cannot decode is read here."""

    _pos: int

    def _read_msg(self, *args: Any, **options: Any) -> Any:
        at = self._pos
        try:
            return super()._read_msg(*args, **options)
        except UnicodeDecodeError:
            self._pos = at
            return self._read_with_odd_names()

    def _read_with_odd_names(self) -> DefaultRecord:
        """Read one record as the client does. Source: Apache Kafka's documentation, "Record" of message format 2."""
        size, _attributes, later_ms, number = (self._varint() for _ in range(4))
        key, value = self._bytes(), self._bytes()
        headers = [(self._name(), self._bytes()) for _ in range(self._varint())]
        is_append_time = self.timestamp_type == self.LOG_APPEND_TIME
        timestamp = self.max_timestamp if is_append_time else self.first_timestamp + later_ms
        return DefaultRecord(size, self.base_offset + number, timestamp, self.timestamp_type, key, value, headers)

    def _varint(self) -> int:
        value: int
        value, self._pos = decode_varint(self._buffer, self._pos)
        return value

    def _name(self) -> str:
        return (self._bytes() or b"").decode("utf-8", "backslashreplace")

    def _bytes(self) -> bytes | None:
        size = self._varint()
        if size == _NONE:
            return None
        start, self._pos = self._pos, self._pos + size
        return bytes(self._buffer[start : self._pos])
