"""The page that a browser gets: `static/` holds its files as they are, `files` gives them out."""

from seq2seq.page.files import INDEX, POLICY, STATIC, Page, PageFile

__all__ = ["INDEX", "POLICY", "STATIC", "Page", "PageFile"]
