"""What a sensor makes of the movement it is given: IMU readings and the faults of real devices, each off by default."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import MIRROR_PLACEMENT
from kinjo.recording import Contract, Stream
from kinjo.signal import GRAVITY

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class IMU:
    """Readings of one placement, or of several in step (leading dimensions).

    ``acc (..., n, 3)`` specific force in m/s², ``gyro (..., n, 3)`` rad/s, both in the sensor's axes; sample ``k`` lies
    ``k / rate_hz`` seconds after the first. ``missing (n,)`` is ``True`` where there is no reading. Without ``gravity``
    the accelerometer's numbers are acceleration alone, as some phones give it.
    """

    acc: Floats
    gyro: Floats
    rate_hz: float
    placement: str
    missing: NDArray[np.bool_] | None = None
    gravity: bool = True

    def streams(self, start_s: float = 0.0) -> dict[str, Stream]:
        """``<placement>.acc`` and ``<placement>.gyro`` of one sensor, float32, zero where missing."""
        if self.acc.ndim != 2:
            raise ValueError(f"a stream holds one sensor, given readings {self.acc.shape}")
        out = {}
        for quantity, units, values in (("acc", "m/s^2", self.acc), ("gyro", "rad/s", self.gyro)):
            gravity = self.gravity if quantity == "acc" else None
            contract = Contract("imu", quantity, units, self.rate_hz, placement=self.placement, gravity=gravity)
            name = f"{self.placement}.{quantity}"
            kept = values.astype(np.float32)
            if self.missing is not None:
                kept[self.missing] = 0.0
            out[name] = Stream.of(name, contract, kept, start_s=start_s, missing=self.missing)
        return out

    def turned(self, rotation: Floats) -> IMU:
        """What the sensor reads if it is mounted by ``rotation (3, 3)``, from new to old sensor axes; both alike."""
        return replace(self, acc=self.acc @ rotation, gyro=self.gyro @ rotation)

    def mirrored(self) -> IMU:
        """What the sensor on the other side reads in the mirrored movement, axes of ``motion``'s segment frames.

        Turning is a pseudovector: in the mirror z = 0 it keeps z and flips x and y.
        """
        flip = np.array([1.0, 1.0, -1.0])
        return replace(self, acc=self.acc * flip, gyro=self.gyro * -flip, placement=MIRROR_PLACEMENT[self.placement])


@dataclass(frozen=True)
class SensorModel:
    """How a device differs from an ideal sensor. All off by default; applied from top to bottom.

    ``offset_std_m`` and ``mounting_std_deg`` (180: any way round) are where and how it was put on, drawn once per
    recording. ``tissue_hz`` is the natural frequency of the soft tissue or the loose strap between bone and device, a
    damped second-order lag. ``bias_*``, ``scale_std`` are drawn once per sensor and axis; ``noise_*`` are densities,
    per sqrt(Hz). ``range_*`` clips (0: endless), ``bits`` quantises that range (0: not at all). ``missing_share`` of
    the samples are lost, in bursts of ``missing_burst_s`` on average.
    """

    offset_std_m: float = 0.0
    mounting_std_deg: float = 0.0
    tissue_hz: float = 0.0
    tissue_damping: float = 0.5
    scale_std: float = 0.0
    bias_acc: float = 0.0
    bias_gyro: float = 0.0
    noise_acc: float = 0.0
    noise_gyro: float = 0.0
    range_acc: float = 0.0
    range_gyro: float = 0.0
    bits: int = 0
    missing_share: float = 0.0
    missing_burst_s: float = 0.2

    def __post_init__(self) -> None:
        wrong = [name for name in self.__dataclass_fields__ if not 0 <= getattr(self, name) < np.inf]
        if wrong:
            raise ValueError(f"SensorModel: {', '.join(wrong)} must be 0 or more")
        if self.missing_share >= 1 or self.missing_burst_s == 0:
            raise ValueError("SensorModel: missing_share must be below 1, missing_burst_s above 0")
        if self.bits and not (self.range_acc and self.range_gyro):
            raise ValueError("SensorModel: bits quantise a range: give range_acc and range_gyro too")


_DEGREE = np.pi / 180

# Noise, bias and range as data sheets of MEMS parts give them (Bosch BMI160: 180 ug and 0.007 deg/s per sqrt(Hz), zero
# offsets of 40 mg and 3 deg/s before calibration by the phone; Xsens MTw: 200 ug, 0.01 deg/s, calibrated). How a device
# is worn is our estimate.
PHONE_IN_POCKET = SensorModel(
    offset_std_m=0.03, mounting_std_deg=180.0, tissue_hz=10.0, tissue_damping=0.5, scale_std=0.01,
    bias_acc=0.1, bias_gyro=0.5 * _DEGREE, noise_acc=180e-6 * GRAVITY, noise_gyro=0.007 * _DEGREE,
    range_acc=8 * GRAVITY, range_gyro=2000 * _DEGREE, bits=16,
)  # fmt: skip
"""A phone, any way round, loose in the trouser pocket."""
WATCH = SensorModel(
    offset_std_m=0.01, mounting_std_deg=15.0, tissue_hz=15.0, tissue_damping=0.6, scale_std=0.01,
    bias_acc=0.15, bias_gyro=0.5 * _DEGREE, noise_acc=180e-6 * GRAVITY, noise_gyro=0.007 * _DEGREE,
    range_acc=8 * GRAVITY, range_gyro=2000 * _DEGREE, bits=16, missing_share=0.002,
)  # fmt: skip
"""A watch with some play, which loses a sample now and then."""
RESEARCH_IMU = SensorModel(
    offset_std_m=0.01, mounting_std_deg=5.0, tissue_hz=25.0, tissue_damping=0.7, scale_std=0.002,
    bias_acc=0.02, bias_gyro=0.1 * _DEGREE, noise_acc=200e-6 * GRAVITY, noise_gyro=0.01 * _DEGREE,
    range_acc=16 * GRAVITY, range_gyro=2000 * _DEGREE, bits=16,
)  # fmt: skip
"""A strapped and calibrated laboratory sensor."""
DEVICES: dict[str, SensorModel | None] = {
    "ideal": None, "phone": PHONE_IN_POCKET, "watch": WATCH, "research": RESEARCH_IMU,
}  # fmt: skip
"""The presets by name."""


def random_rotation(rng: np.random.Generator, std_deg: float) -> Floats:
    """A rotation ``(3, 3)`` about a random axis by a normal angle; 180 and more: uniform over all rotations."""
    axis = rng.normal(size=4)
    if std_deg >= 180:
        w, x, y, z = axis / np.linalg.norm(axis)
    else:
        half = np.deg2rad(std_deg) * axis[3] / 2
        x, y, z = np.sin(half) * axis[:3] / np.linalg.norm(axis[:3])
        w = np.cos(half)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def degrade(imu: IMU, model: SensorModel, rng: np.random.Generator) -> IMU:
    """The readings as the device of ``model`` gives them; all but how it was put on, which ``virtual_imu`` draws."""
    quantities = (
        (imu.acc, model.bias_acc, model.noise_acc, model.range_acc),
        (imu.gyro, model.bias_gyro, model.noise_gyro, model.range_gyro),
    )
    out = []
    for values, bias, density, limit in quantities:
        shape = (*values.shape[:-2], 1, 3)
        if model.tissue_hz > 0:
            values = values if imu.missing is None else values[..., _next_known(imu.missing), :]
            values = _lagged(values, imu.rate_hz, model.tissue_hz, model.tissue_damping)
        values = values * (1 + model.scale_std * rng.normal(size=shape)) + bias * rng.normal(size=shape)
        # white noise of this density, seen up to the Nyquist frequency
        values = values + density * np.sqrt(imu.rate_hz / 2) * rng.normal(size=values.shape)
        if limit > 0:
            values = np.clip(values, -limit, limit)
        if model.bits:
            step = 2 * limit / 2**model.bits
            values = np.round(values / step) * step
        out.append(values)
    missing = imu.missing
    if model.missing_share > 0:
        lost = _bursts(imu.acc.shape[-2], model.missing_share, model.missing_burst_s * imu.rate_hz, rng)
        missing = lost if missing is None else missing | lost
    return replace(imu, acc=out[0], gyro=out[1], missing=missing)


def _next_known(missing: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For each sample the next that is not missing, else the last: what lies in a gap must not ring on after it."""
    known = np.flatnonzero(~missing)
    if not len(known):
        return np.arange(len(missing))
    return known[np.minimum(np.searchsorted(known, np.arange(len(missing))), len(known) - 1)]


def _lagged(values: Floats, rate_hz: float, natural_hz: float, damping: float) -> Floats:
    """A mass on a spring and a damper, driven by ``values``: second order, gain 1 at rest, started at rest."""
    from scipy.signal import bilinear, lfilter, lfilter_zi

    omega = 2 * np.pi * min(natural_hz, 0.45 * rate_hz)
    omega = 2 * rate_hz * np.tan(omega / rate_hz / 2)  # the bilinear transform bends the frequency axis
    b, a = bilinear([2 * damping * omega, omega**2], [1.0, 2 * damping * omega, omega**2], fs=rate_hz)
    start = lfilter_zi(b, a)[:, None] * values[..., :1, :]
    return np.asarray(lfilter(b, a, values, axis=-2, zi=start)[0])


def _bursts(n: int, share: float, length: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Lost samples ``(n,)``: a two-state chain with this share and this mean length of a burst, in samples."""
    leave = min(1.0, 1.0 / length, (1 - share) / share)  # bursts are longer where the share asks for it
    enter = min(1.0, leave * share / (1 - share))
    # alternating runs, geometric lengths; enough of them to cover n, as each is at least one sample
    kept, gone = rng.geometric(enter, n), rng.geometric(leave, n)
    first_gone = rng.random() < share
    runs = np.stack([gone, kept] if first_gone else [kept, gone], axis=1).reshape(-1)
    return np.searchsorted(np.cumsum(runs), np.arange(n), side="right") % 2 == int(not first_gone)
