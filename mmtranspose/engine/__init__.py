"""Hooks for stock mmengine runners."""
