"""The report of a conformance run: what each test saw, what it means, and how it is written.

`evidence` and `witness` work where tests run, which is a worker under pytest-xdist. `collector` takes what they hand
over, `verdict` judges it, `document` makes the JSON of it, and `page` the HTML. See docs/conformance.md.
"""
