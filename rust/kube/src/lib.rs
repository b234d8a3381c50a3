//! Kubernetes objects, their store, labels, endpoints, workloads and names.
