"""Speed, memory and arithmetic of TransPose, measured beside the baseline that people use today.

Nothing is imported here, so that the processes of candidates load only what they need. Start at
:func:`mmtranspose.benchmark.run.run_benchmark` or :func:`mmtranspose.benchmark.multiply_accumulates.count`.
"""
