"""kubectl's printers that work on whole objects: JSONPath templates, columns of one's own, sorting.

Source: client-go util/jsonpath, kubectl pkg/cmd/get, 1.36.
"""
