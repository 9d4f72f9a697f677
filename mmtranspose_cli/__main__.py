import sys

from mmtranspose_cli.main import main

sys.exit(main())
