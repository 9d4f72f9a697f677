"""What a camera does to a picture: exposure, tint, blur and grain."""

import cv2
import numpy as np

from mmtranspose.datasets.synthetic.textures import grain, noise_window


def camera_effects(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Mild random exposure, tint, blur and noise.

    Args:
        rng: Source of randomness.
        image: float32 BGR (h, w, 3), about 0..255.

    Returns:
        uint8 BGR (h, w, 3).
    """
    exposure = np.clip(rng.uniform(85, 160) / max(float(cv2.mean(image)[1]), 1.0), 0.7, 1.35)
    gain = exposure * rng.uniform(0.93, 1.07, 3)
    image = cv2.transform(image, np.column_stack((np.diag(gain), np.full(3, rng.uniform(-12, 12)))).astype(np.float32))
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, None, rng.uniform(0.3, 1.1))
    if rng.random() < 0.07:
        length = int(rng.integers(3, 6))
        image = cv2.blur(image, (length, 1) if rng.random() < 0.5 else (1, length))
    noise = np.float32(rng.uniform(0, 6)) * noise_window(rng, image.shape[:2], grain())
    return cv2.convertScaleAbs(np.maximum(cv2.add(image, cv2.cvtColor(noise, cv2.COLOR_GRAY2BGR)), 0))
