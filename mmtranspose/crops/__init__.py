"""From boxes to crops, on the CPU or on the network's device, and back to the image."""
