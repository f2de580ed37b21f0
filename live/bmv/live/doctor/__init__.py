"""`bmv doctor`: whether everything that trading relies on is as it should be, and what to do where it is not."""
