"""Imported once by the process that others are forked from: what is slow is done by then."""

from policies.purposes import purpose_list
from policies.site_rules import load_overlay
from policies.summary_model import summary_model
from policies.text_scan import scanner
from tests.invariants import dying

__all__ = ["dying"]

summary_model()
purpose_list()
load_overlay()
scanner(["Word Wijs"])
