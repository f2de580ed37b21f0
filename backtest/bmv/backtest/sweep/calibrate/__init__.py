"""The judge, judged on markets of which the answer is known."""
