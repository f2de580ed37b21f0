"""Whether the best of many sets is worth anything: what luck, overfitting and the holdout say."""
