"""``python -m mmtranspose_cli``: the console command."""

import sys

from mmtranspose_cli.main import main

sys.exit(main())
