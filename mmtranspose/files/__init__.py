"""Files: JSON, output paths, arrays kept part by part, COCO's lists of images."""
