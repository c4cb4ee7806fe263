"""A writer of Axivity's .cwa, from its documentation (Open Movement, Docs/ax3/cwa.h): a block at a time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

BEGIN = datetime(2024, 2, 28, 23, 59, 50, tzinfo=UTC)
"""When the recordings begin: a leap day comes soon."""


@dataclass(frozen=True)
class Device:
    """``values`` (n, axes) are whole numbers as the device has them; samples are ``1 / pace`` seconds apart."""

    values: np.ndarray
    rate: float = 100.0
    pace: float = 100.0
    packed: bool = False
    scale: int = 0
    gyro: int = 0
    sensor_config: int = 0
    fractional: bool = True
    per_block: int = 0
    date_at: int = 0
    """The date of a block belongs to its sample of this number (it may be negative, or beyond the block)."""

    @property
    def axes(self) -> int:
        return self.values.shape[1]

    @property
    def room(self) -> int:
        return self.per_block or (120 if self.packed else 240 // self.axes)


def stamp(moment: datetime) -> int:
    fields = ((moment.year - 2000, 26), (moment.month, 22), (moment.day, 17), (moment.hour, 12), (moment.minute, 6))
    return sum(value << shift for value, shift in fields) | moment.second


def rate_code(rate: float) -> int:
    return 15 - round(np.log2(3200 / rate))


def header(device: Device) -> bytes:
    data = bytearray(b"\xff" * 1024)
    struct.pack_into("<2sHBHIH", data, 0, b"MD", 1020, 0x64 if device.axes > 3 else 0x17, 12345, 77, 0xFFFF)
    data[35], data[36], data[41] = device.sensor_config, rate_code(device.rate), 50
    return bytes(data)


def packed_word(sample: Sequence[int]) -> int:
    """The smallest exponent that holds all three; what is shifted out is lost."""
    exponent = next(e for e in range(4) if all(-512 <= value >> e <= 511 for value in sample))
    x, y, z = ((value >> exponent) & 0x3FF for value in sample)
    return x | y << 10 | z << 20 | exponent << 30


def checked(block: bytes) -> bytes:
    """The block with the checksum that makes its words add up to 0."""
    total = sum(struct.unpack("<255H", block[:510]))
    return block[:510] + struct.pack("<H", -total & 0xFFFF)


def block(device: Device, sequence: int, first: int, begin: datetime = BEGIN) -> bytes:
    """The block whose first sample is number ``first``."""
    values = device.values[first : first + device.room]
    seconds = (first + device.date_at) / device.pace
    whole, fraction = divmod(seconds, 1.0)
    at, field = device.date_at, 0
    if device.fractional:
        ticks = int(fraction * 32768)
        field = 0x8000 | ticks
        at -= int(ticks / 32768 * int(device.rate))
    else:  # the second that began last, and the sample that it lies nearest to
        at -= round(fraction * device.pace)
    data = bytearray(512)
    struct.pack_into(
        "<2sHHIIIHHBBBBhH", data, 0, b"AX", 508, field, 77, sequence, stamp(begin + timedelta(seconds=whole)),
        device.scale << 13 | device.gyro << 10 | 300, 200, 0, 180, rate_code(device.rate),
        device.axes << 4 | (0 if device.packed else 2), at, len(values),
    )  # fmt: skip
    if device.packed:
        words = [packed_word(sample) for sample in values.tolist()]
        struct.pack_into(f"<{len(words)}I", data, 30, *words)
    else:
        struct.pack_into(f"<{values.size}h", data, 30, *values.reshape(-1).tolist())
    return checked(bytes(data))


def blocks(device: Device, begin: datetime = BEGIN) -> list[bytes]:
    starts = range(0, len(device.values), device.room)
    return [block(device, k, first, begin) for k, first in enumerate(starts)]


def cwa(device: Device, unused: int = 2) -> bytes:
    """A whole file; the last ``unused`` blocks were never written to."""
    return header(device) + b"".join(blocks(device)) + b"\xff" * (512 * unused)
