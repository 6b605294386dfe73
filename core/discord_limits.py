"""What Discord takes at most, known once; all lengths are in characters as Discord counts them."""

from __future__ import annotations

MESSAGE_LIMIT = 2000  # of a message
CHOICES = 25  # suggestions while somebody types an option of a command
CHOICE_LENGTH = 100  # of a suggestion's name, and of its value
FIELD_LENGTH = 1024  # of the value of an embed's field; of a whole embed 6,000
NICKNAME_LENGTH = 32
FILES = 10  # of one message
DIRECT_UPLOAD_BYTES = 10 * 2**20  # in a direct message, whoever sends it; a server has a limit of its own
