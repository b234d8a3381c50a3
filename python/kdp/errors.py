"""Errors: one class for each kind of fault, one stable code for each fault.

Only bad input is an error. What happens to a packet (dropped, rejected, no endpoint, table full) is a value
in the result, and a broken invariant is an ``AssertionError``. Each code is explained in docs/errors.md; a
test keeps the codes of the Rust crates, the ones here and that page equal.
"""

from __future__ import annotations

__all__ = [
    "CODES",
    "KdpError",
    "LoadError",
    "NotFoundError",
    "PacketError",
    "RuleError",
    "UnsupportedError",
    "UnsupportedRuleError",
    "UsageError",
    "ValidationError",
    "from_code",
]


class KdpError(Exception):
    """Base of all errors that kdp raises for bad input.

    ``code`` is a stable kebab-case word to test for; ``message`` is for people: it names the object, the
    field, what was found and what is allowed.
    """

    def __init__(self, code: str, message: str) -> None:
        # Both go to Exception, so that an error survives pickling on its way out of a process pool.
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class LoadError(KdpError):
    """A file, stream or document that cannot be read: nothing of it was loaded."""


class ValidationError(KdpError, ValueError):
    """An object that an API server would refuse: a value outside its range, or one that is taken."""


class NotFoundError(KdpError, LookupError):
    """A name that the cluster does not have; the message has the nearest names."""


class UnsupportedError(KdpError, NotImplementedError):
    """Something that exists in a real cluster and is not modelled here."""


class RuleError(KdpError, ValueError):
    """A rule set that netfilter would refuse: a chain that does not exist, text that does not parse."""


class UnsupportedRuleError(RuleError, UnsupportedError):
    """A match, target or option of a rule that is not modelled; a rule set with one is refused."""


class PacketError(KdpError, ValueError):
    """Bytes or columns that are no packet."""


class UsageError(KdpError, ValueError):
    """An argument that the called function or command does not take."""


CODES: dict[str, type[KdpError]] = {
    "file-not-found": LoadError,
    "file-unreadable": LoadError,
    "folder-empty": LoadError,
    "source-not-text": LoadError,
    "yaml-syntax": LoadError,
    "json-syntax": LoadError,
    "yaml-alias-bomb": LoadError,
    "duplicate-key": LoadError,
    "nesting-too-deep": LoadError,
    "not-an-object": LoadError,
    "field-wrong-type": ValidationError,
    "field-missing": ValidationError,
    "port-out-of-range": ValidationError,
    "invalid-name": ValidationError,
    "value-not-allowed": ValidationError,
    "invalid-label": ValidationError,
    "metadata-too-large": ValidationError,
    "owner-missing": ValidationError,
    "resource-version-future": ValidationError,
    "invalid-selector": ValidationError,
    "invalid-address": ValidationError,
    "selector-syntax": UsageError,
    "selector-operand": UsageError,
    "selector-operator": ValidationError,
    "selector-values": ValidationError,
    "label-key-invalid": ValidationError,
    "label-value-invalid": ValidationError,
    "field-selector-syntax": UsageError,
    "field-unknown": UsageError,
    "jsonpath-invalid": UsageError,
    "custom-columns-invalid": UsageError,
    "duplicate-service-port": ValidationError,
    "duplicate-cluster-ip": ValidationError,
    "duplicate-node-port": ValidationError,
    "duplicate-object": ValidationError,
    "pod-without-address": ValidationError,
    "node-without-address": ValidationError,
    "range-full": ValidationError,
    "no-such-object": NotFoundError,
    "no-such-chain": NotFoundError,
    "kind-unknown": NotFoundError,
    "name-ambiguous": UsageError,
    "no-cluster-ip": UsageError,
    "no-health-check": UsageError,
    "proxy-unknown-release": UnsupportedError,
    "proxy-mode-not-modelled": UnsupportedError,
    "proxy-option-unknown": UsageError,
    "proxy-option-not-valid": UsageError,
    "proxy-options-exclusive": UsageError,
    "proxy-cidr-family": UsageError,
    "proxy-config-kind": UsageError,
    "proxy-object-not-valid": ValidationError,
    "proxy-endpoint-text-refused": ValidationError,
    "proxy-nft-comment-too-long": ValidationError,
    "rule-syntax": RuleError,
    "rule-match-not-modelled": UnsupportedRuleError,
    "rule-target-not-modelled": UnsupportedRuleError,
    "rule-option-not-modelled": UnsupportedRuleError,
    "ruleset-table-not-modelled": UnsupportedRuleError,
    "ruleset-unknown-chain": RuleError,
    "ruleset-jump-to-base-chain": RuleError,
    "ruleset-base-chain": RuleError,
    "ruleset-no-policy": RuleError,
    "ruleset-chain-in-use": RuleError,
    "ruleset-chain-not-empty": RuleError,
    "ruleset-chain-name": RuleError,
    "ruleset-no-such-rule": RuleError,
    "ruleset-jump-loop": RuleError,
    "ruleset-too-deep": RuleError,
    "ruleset-target-not-in-table": RuleError,
    "ruleset-chain-exists": RuleError,
    "ruleset-rule-number": RuleError,
    "ruleset-target-not-at-hook": RuleError,
    "ruleset-family": RuleError,
    "rule-expression-not-modelled": UnsupportedRuleError,
    "nft-unknown-table": RuleError,
    "nft-unknown-set": RuleError,
    "ipset-unknown-set": RuleError,
    "ipset-refused": RuleError,
    "nft-unknown-object": RuleError,
    "nft-set-exists": RuleError,
    "nft-set-in-use": RuleError,
    "nft-element-exists": RuleError,
    "nft-no-such-element": RuleError,
    "nft-type-mismatch": RuleError,
    "trace-source-invalid": UsageError,
    "trace-target-invalid": UsageError,
    "trace-protocol-not-modelled": UnsupportedError,
    "address-family": ValidationError,
    "packet-not-modelled": UnsupportedError,
    "packet-malformed": PacketError,
    "packet-syntax": UsageError,
    "capture-malformed": PacketError,
    "capture-link-type-not-modelled": UnsupportedError,
    "topology-unknown": UsageError,
    "device-unknown": UsageError,
    "topology-invalid": ValidationError,
    "path-loop": ValidationError,
    "time-goes-back": UsageError,
    "time-invalid": UsageError,
    "action-refused": UsageError,
    "option-invalid": UsageError,
    "question-invalid": UsageError,
    "flows-dtype": UsageError,
    "flows-range": UsageError,
    "flows-shape": UsageError,
    "flows-ipv6-not-modelled": UnsupportedError,
    "case-invalid": UsageError,
    "explanation-not-modelled": UnsupportedError,
    "case-not-modelled": UnsupportedError,
    "output-not-modelled": UnsupportedError,
    "no-objects": UsageError,
    "output-failed": KdpError,
    "serve-address-taken": KdpError,
    "serve-not-installed": KdpError,
    "argument-invalid": UsageError,
}
"""Each code, and the class that carries it."""


def from_code(code: str, message: str) -> KdpError:
    """Give the error of a code: the extension module's one way to make a Python exception."""
    assert code in CODES, f"the error code {code} has no class in kdp.errors.CODES"
    return CODES[code](code, message)
