"""Ebel, Schmitt and Zhu 2021, as published."""
