"""Logarithmic buckets of durations, and histograms over them as one integer that stores add; it must not divide. Pure.

A histogram counts durations by bucket, COUNT_BITS bits for each, the first bucket in the lowest bits.  The sum of two
such integers is the histogram of both sets, so a total adds it like any other of its sums.

A bucket (low, high] reports one of `BUCKET_VALUES_MS` for whatever it counts, at most RELATIVE_ERROR from it, as in a
DDSketch (decision record 0020).  The bounds that figures must be exact at are bounds of buckets.
"""

from __future__ import annotations

import string
import struct
from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate, pairwise
from math import ceil, log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HISTOGRAM_BOUNDS_S: Final = (10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Bounds at which waits and service times are counted exactly, seconds; a value equal to a bound is within it."""
LATENCY_BOUNDS_MS: Final = (50, 100, 200, 300, 500, 1000, 2000, 5000, 10_000)
"""Bounds at which the latency of successful probes is counted exactly, ms."""
RELATIVE_ERROR: Final = 0.02
"""Largest difference between a duration of MIN_MS to MAX_MS and the value of its bucket, as a share of the duration."""
MIN_MS: Final = 0.1
"""Positive durations below it are reported as it is: probes measure no finer."""
MAX_MS: Final = 400 * 86_400_000
"""Longer durations are reported as this one: 400 days."""
_ROUNDING_SHARE: Final = 0.0005
"""Part of the error that is left for rounding values to whole milliseconds."""
COUNT_BITS: Final = 32
"""Bits of a bucket's count: four thousand million durations, a country's in ten years."""
_COUNT_BYTES: Final = COUNT_BITS // 8
_SIGNS: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_ESCAPE: Final = _SIGNS[-1]
_DENSE: Final = "="
_MAX_DENSE: Final = 160
"""Most buckets that are named one by one."""
_SIGN_COUNTS: Final = len(_SIGNS)
"""Counts below it are one sign each."""
_SIGN_BY_COUNT: Final = bytes(ord(_SIGNS[count % len(_SIGNS)]) for count in range(256))
_COUNT_BY_SIGN: Final = bytes(max(0, _SIGNS.find(chr(sign))) for sign in range(256))
_MAX_SKIPPED, _MAX_COUNT = 7, 7
"""Empty buckets, and durations in the next one, that one sign can tell."""
_DIGIT_BY_SIGN: Final = {sign: digit for digit, sign in enumerate(_SIGNS)}
_PAIR_BY_SIGN: Final = {
    _SIGNS[skipped * _MAX_COUNT + count - 1]: (skipped, count)
    for skipped in range(_MAX_SKIPPED + 1)
    for count in range(1, _MAX_COUNT + 1)
}


def _split_evenly(low: float, high: float) -> Iterator[float]:
    """Yield upper bounds in equal ratios, the last one `high`, so that each bucket's value is exact enough."""
    error = RELATIVE_ERROR - _ROUNDING_SHARE
    parts = ceil(log(high / low) / log((1 + error) / (1 - error)))
    yield from (low * (high / low) ** (part / parts) for part in range(1, parts))
    yield high


_EXACT_BOUNDS_MS: Final = (MIN_MS, *LATENCY_BOUNDS_MS, *(s * 1000 for s in HISTOGRAM_BOUNDS_S[1:]), MAX_MS)
BUCKET_BOUNDS_MS: Final[tuple[float, ...]] = (
    0,
    MIN_MS,
    *(bound for low, high in pairwise(_EXACT_BOUNDS_MS) for bound in _split_evenly(low, high)),
)
"""Upper bounds of the buckets, ms; the first one holds zeros alone, and one more bucket holds what exceeds the last."""


def _bucket_value(low: float, high: float) -> float:
    """Return the value with the same relative error to both ends."""
    value = 2 * low * high / (low + high)
    return round(value) if value >= 1000 else round(value, 5)


BUCKET_VALUES_MS: Final[tuple[float, ...]] = (
    0,
    MIN_MS,
    *(_bucket_value(low, high) for low, high in pairwise(BUCKET_BOUNDS_MS[1:])),
    MAX_MS,
)
"""What a duration in each bucket is reported as, ms."""
_ONE_BY_BUCKET: Final = tuple(1 << (bucket * COUNT_BITS) for bucket in range(len(BUCKET_VALUES_MS)))
_ALL_ONES: Final = sum(_ONE_BY_BUCKET)
_LARGE_COUNTS: Final = _ALL_ONES * ((1 << COUNT_BITS) - _SIGN_COUNTS)
"""The bits of counts that are too large for one sign."""
_EXACT_BUCKETS: Final = {bound: BUCKET_BOUNDS_MS.index(bound) for bound in _EXACT_BOUNDS_MS}


def histogram_of(duration_ms: float) -> int:
    """Return the histogram of one duration, which is not negative."""
    return _ONE_BY_BUCKET[bisect_left(BUCKET_BOUNDS_MS, duration_ms)]


def bucket_counts(histogram: int) -> tuple[int, tuple[int, ...]]:
    """Return the first bucket with a count, and the counts from it to the last one; (0, ()) of an empty histogram."""
    if not histogram:
        return 0, ()
    first = ((histogram & -histogram).bit_length() - 1) // COUNT_BITS
    histogram >>= first * COUNT_BITS
    length = ceil(histogram.bit_length() / COUNT_BITS)
    return first, struct.unpack(f"<{length}I", histogram.to_bytes(length * _COUNT_BYTES, "little"))


@lru_cache(maxsize=64)
def cumulative_counts(histogram: int) -> tuple[int, tuple[int, ...]]:
    """Return the first bucket with a count, and how many durations there are up to each bucket from it to the last one.

    The latest answers are cached: a page reads the count and several percentiles of one histogram.
    """
    first, counts = bucket_counts(histogram)
    return first, tuple(accumulate(counts))


def count_within(histogram: int, bound_ms: int) -> int:
    """Return how many durations do not exceed a bound, which must be an exact one (else KeyError)."""
    bucket = _EXACT_BUCKETS[bound_ms]
    first, cumulative = cumulative_counts(histogram)
    if not cumulative or bucket < first:
        return 0
    return cumulative[min(bucket - first, len(cumulative) - 1)]


def encode_histogram(histogram: int) -> str:
    """Return a histogram as text: one sign for each bucket with a count: how many before it are empty, and the count.

    Where either number is too large for that, the sign _ESCAPE, then both numbers (`_number_signs`).  Where that is not
    much longer, _DENSE, the first bucket as two digits, and one sign for the count of each bucket: it is read faster.
    """
    if not histogram or histogram & _LARGE_COUNTS:
        return _encode_sparse(*bucket_counts(histogram))
    first = ((histogram & -histogram).bit_length() - 1) // COUNT_BITS
    length = (histogram.bit_length() + COUNT_BITS - 1) // COUNT_BITS
    counts = histogram.to_bytes(length * _COUNT_BYTES, "little")[first * _COUNT_BYTES :: _COUNT_BYTES]
    if len(counts) > min(4 * (len(counts) - counts.count(0)), _MAX_DENSE):
        return _encode_sparse(first, counts)
    return _DENSE + _SIGNS[first & 31] + _SIGNS[first >> 5] + counts.translate(_SIGN_BY_COUNT).decode()


def _encode_sparse(skipped: int, counts: Sequence[int]) -> str:
    signs: list[str] = []
    for count in counts:
        if not count:
            skipped += 1
            continue
        if skipped <= _MAX_SKIPPED and count <= _MAX_COUNT:
            signs.append(_SIGNS[skipped * _MAX_COUNT + count - 1])
        else:
            signs += (_ESCAPE, _number_signs(skipped), _number_signs(count))
        skipped = 0
    return "".join(signs)


def _number_signs(number: int) -> str:
    """Return a number in base 32, lowest digit first; all digits but the last one are 32 higher."""
    signs = ""
    while number > 31:
        signs += _SIGNS[number & 31 | 32]
        number >>= 5
    return signs + _SIGNS[number]


def decode_histogram(text: str) -> int:
    """Return the histogram that `encode_histogram` wrote.

    Raises KeyError, StopIteration, struct.error or ValueError when the text is none.
    """
    if text.startswith(_DENSE):
        first = _DIGIT_BY_SIGN[text[1]] | _DIGIT_BY_SIGN[text[2]] << 5
        body = text[3:].encode().translate(_COUNT_BY_SIGN)
        _check_buckets(first + len(body))
        lanes = bytearray(_COUNT_BYTES * len(body))
        lanes[::_COUNT_BYTES] = body
        return int.from_bytes(lanes, "little") << (first * COUNT_BITS)
    return _decode_sparse(text)


def _decode_sparse(text: str) -> int:
    first, counts = 0, list[int]()
    signs = iter(text)
    for sign in signs:
        skipped, count = _PAIR_BY_SIGN[sign] if sign != _ESCAPE else (_read_number(signs), _read_number(signs))
        if not counts:
            first = skipped
        elif skipped:
            counts.extend((0,) * min(skipped, len(BUCKET_VALUES_MS)))
        counts.append(count)
    _check_buckets(first + len(counts))
    return int.from_bytes(struct.pack(f"<{len(counts)}I", *counts), "little") << (first * COUNT_BITS)


def _check_buckets(count: int) -> None:
    """Refuse a text of another origin: shifting by its buckets may take all memory."""
    if count > len(BUCKET_VALUES_MS):
        msg = "a histogram's bucket does not exist"
        raise ValueError(msg)


def _read_number(signs: Iterator[str]) -> int:
    value, shift, digit = 0, 0, 32
    while digit > 31:
        digit = _DIGIT_BY_SIGN[next(signs)]
        value |= (digit & 31) << shift
        shift += 5
    return value
