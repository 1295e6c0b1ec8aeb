"""One triggering, many exports: claim, follow, finish, housekeeping."""
