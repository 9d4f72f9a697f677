"""The console command of mmtranspose; imports nothing but the standard library."""
