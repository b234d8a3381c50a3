//! kube-proxy: from Services and endpoints to transactions on a rule set.
