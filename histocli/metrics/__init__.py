"""How good the predictions are, and how sure that is: NumPy, SciPy, scikit-learn; never torch."""
