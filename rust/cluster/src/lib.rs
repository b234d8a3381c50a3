//! A cluster on virtual time: nodes, Pods, and packets between them.
