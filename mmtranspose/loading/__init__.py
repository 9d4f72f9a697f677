"""From names and files to models: the zoo, configs, data files, checkpoints."""
