"""The pages of docs/ that are generated from the code: one module for each page, with a function ``page``.

What the code does not say, such as a link to another page, is in the module of its page.
"""
