"""Sound as arrays of floats, (channels, samples) with a full scale of 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from av import AudioFrame
    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

_FULL_SCALE: Final = 32768


def sound_of(frame: AudioFrame) -> Sound:
    """Return the samples of a frame of one of the four formats."""
    import numpy as np

    kind, channels = np.int16 if frame.format.name.startswith("s16") else np.float32, len(frame.layout.channels)
    if frame.format.is_planar:
        data: NDArray[Any] = np.stack([np.frombuffer(plane, kind, frame.samples) for plane in planes_of(frame)])
    else:
        data = np.frombuffer(planes_of(frame)[0], kind, frame.samples * channels).reshape(-1, channels).T
    return data.astype(np.float32) / np.float32(_FULL_SCALE if kind is np.int16 else 1)


def frame_of(sound: Sound, format: str, layout: str, rate: int) -> AudioFrame:
    """Return a frame of these samples; what does not fit into s16 is clipped."""
    import numpy as np
    from av import AudioFrame

    data: NDArray[Any] = sound
    if format.startswith("s16"):
        data = np.clip(np.rint(sound * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    frame = AudioFrame(format, layout, data.shape[1])
    frame.sample_rate = rate
    rows = data if frame.format.is_planar else [data.T.reshape(-1)]
    if frame.samples:
        for plane, row in zip(planes_of(frame), rows, strict=True):
            np.frombuffer(plane, data.dtype, row.size)[:] = row
    return frame


def planes_of(frame: AudioFrame) -> list[Any]:
    """Return the planes. PyAV lists more than there are when there are eight."""
    return list(frame.planes[: len(frame.layout.channels) if frame.format.is_planar else 1])
