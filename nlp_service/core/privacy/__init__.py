"""Personal data: found by form, checksum and cue; masked so that the text still reads."""

from nlp_service.core.privacy.find import KINDS, find_pii
from nlp_service.core.privacy.mask import MARKS, mask

__all__ = ["KINDS", "MARKS", "find_pii", "mask"]
