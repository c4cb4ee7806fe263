"""Clocks of real recordings: UTD-MHAD clips of a few seconds, the wearable shifted by a known time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinjo.datasets import utd_mhad
from kinjo.sync import sync

CLIPS = tuple(f"a{action}_s{subject}_t1" for action in (3, 6, 13, 14, 15, 21) for subject in (2, 4, 6))


def test_a_shifted_wrist_is_found_again(data_root: Path):
    if utd_mhad.find(data_root) is None:
        pytest.skip(f"no UTD-MHAD under {data_root}")
    rng = np.random.default_rng(0)
    errors, confidences = [], []
    for recording in utd_mhad.recordings(data_root, modalities=("imu", "pose"), only=CLIPS):
        offset = rng.uniform(-0.5, 0.5)
        moved = {
            name: replace(stream, start_s=-offset) if stream.contract.modality == "imu" else stream
            for name, stream in recording.streams.items()
        }
        found = sync(replace(recording, streams=moved), max_offset_s=1.0, max_drift_ppm=50.0, near_s=0.15)
        errors.append(abs(found.reference_time(0.0) - offset))
        confidences.append(found.confidence)
    assert len(errors) == len(CLIPS)
    # the truth is the clips' normalised time; one in 13 windows of 150 ms would be hit by chance
    assert np.mean(np.array(errors) < 0.15) > 0.7
    assert np.corrcoef(errors, confidences)[0, 1] < 0
