"""What prometheus-operator makes of Prometheus, ServiceMonitor and PodMonitor objects: a configuration.

`select` says which monitors count, `checks` which of those are refused, `jobs` writes the scrape jobs.
"""
