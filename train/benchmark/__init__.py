"""This machine measured: python -m train.benchmark"""
