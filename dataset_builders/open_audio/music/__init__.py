"""Instruments, harmony, tracks."""
