"""The browser demo: one file a tab, and app.py that puts them together."""
