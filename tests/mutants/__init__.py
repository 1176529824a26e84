"""Random mutants of the operator: do the tests that need no control plane notice a change of its code.

``make mutants`` changes one expression or statement at a time, and runs the tests that execute it.
"""
