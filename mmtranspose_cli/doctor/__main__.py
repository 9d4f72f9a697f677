"""``python -m mmtranspose_cli.doctor``."""

import sys

from mmtranspose_cli.doctor import main

if __name__ == '__main__':
    sys.exit(main())
