"""This machine measured: python -m train.benchmark.

Read in this order: lesson_loop, answers, __main__.
"""
