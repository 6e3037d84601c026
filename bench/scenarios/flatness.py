# SPDX-License-Identifier: BSD-3-Clause
"""Whether a series of samples has stopped growing."""

import dataclasses
import math
import statistics

CERTAIN = 3  # standard errors


@dataclasses.dataclass
class Trend:
    """Of the second half of a series; `per_hour` and `error` are a straight line's slope and its standard error."""
    per_hour: float
    error: float
    fitted_rise: float  # of that line over the half
    median_rise: float  # from the second quarter of the series to its last one
    tolerance: float

    @property
    def grows(self):
        """All three say so: noise makes one or the other rise, a leak makes all of them."""
        return self.fitted_rise > self.tolerance and self.median_rise > self.tolerance and self.per_hour > CERTAIN * self.error


def slope(times, values):
    """Least squares: the slope per second, and its standard error."""
    middle, level = statistics.fmean(times), statistics.fmean(values)
    spread = sum((time - middle) ** 2 for time in times)
    rise = sum((time - middle) * (value - level) for time, value in zip(times, values)) / spread
    left = sum((value - level - rise * (time - middle)) ** 2 for time, value in zip(times, values))
    return rise, math.sqrt(left / (len(times) - 2) / spread)


def trend(times, values, tolerance):
    """`times` in seconds; a rise up to `tolerance` is none."""
    half, quarter = len(times) // 2, len(times) // 4
    rise, error = slope(times[half:], values[half:])
    return Trend(rise * 3600, error * 3600, rise * (times[-1] - times[half]),
                 statistics.median(values[-quarter:]) - statistics.median(values[quarter:half]), tolerance)
