"""Load models by name or file: the zoo, configs, data files and checkpoints."""
