"""The report of a run: report.json, report.html, pictures."""
