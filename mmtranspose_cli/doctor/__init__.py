"""What of an environment works, what will break, and the cure: ``mmtranspose doctor``.

Standard library only, and Python 3.8 syntax: it has to run where ``import mmtranspose`` does not, and tell a Python
that is too old in a sentence. Nothing is imported to be examined here: that happens in processes of its own.

Data, one way: ``needs`` (what there has to be) -> ``probing`` runs ``probe`` in fresh processes -> ``environment``
-> ``faults`` -> ``cures`` -> ``report`` -> ``fixing``.
"""

from mmtranspose_cli.doctor.command import main

__all__ = ['main']
