"""Protocols: what is measured, on whom, and how sure one can be of it.

``fewshot`` draws and answers episodes, ``folds`` runs them over class folds and seeds, ``intervals`` says how sure one
can be, ``baselines`` holds what a sceptic would try first, ``pictures`` draws and ``report`` writes result rows.
"""
