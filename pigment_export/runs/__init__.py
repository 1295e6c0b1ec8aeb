"""Runs of many exports: claim, follow, finish, housekeeping."""
