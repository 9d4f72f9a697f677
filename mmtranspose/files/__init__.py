"""Read and write files: JSON, output paths, arrays kept part by part, COCO's lists; text tables."""
