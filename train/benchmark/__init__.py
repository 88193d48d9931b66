"""This machine measured: python -m train.benchmark.

Read in this order: answers, __main__.
"""
