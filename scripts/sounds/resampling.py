"""Band-limited interpolation with the numbers called "kaiser_best", by scipy's polyphase filter."""

import math

import numpy as np
from scipy.signal import resample_poly

RATE = 16_000
ZERO_CROSSINGS = 64
ROLLOFF = 0.9475937167399596
BETA = 14.769656459379492


def resampled(samples, rate):
    """Float64, of 16,000 samples a second."""
    divisor = math.gcd(rate, RATE)
    up, down = RATE // divisor, rate // divisor
    if up == down:
        return np.asarray(samples, dtype=np.float64)
    scale = ROLLOFF * min(1, up / down)
    reach = math.ceil(ZERO_CROSSINGS / scale) * up
    turns = np.arange(-reach, reach + 1) / up * scale
    part = turns / ZERO_CROSSINGS
    window = np.where(np.abs(part) < 1, np.i0(BETA * np.sqrt(np.maximum(0, 1 - part**2))) / np.i0(BETA), 0)
    # scipy multiplies the filter by `up`.
    return resample_poly(np.asarray(samples, dtype=np.float64), up, down, window=scale * np.sinc(turns) * window / up)
