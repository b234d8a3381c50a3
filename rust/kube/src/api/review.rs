//! Reviews of what somebody may do: here everybody may do everything, and it is said.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Request, body};

/// Answers `POST` of a review.
pub(super) fn review(resource: &str, request: &Request<'_>) -> Result<Value, Refusal> {
    if request.method != "POST" {
        return Err(Refusal::method_not_allowed());
    }
    let mut review = body::read(request)?;
    if !review.is_object() {
        return Err(Refusal::bad_request("the body is no object"));
    }
    match resource {
        "selfsubjectaccessreviews" => {
            review["kind"] = "SelfSubjectAccessReview".into();
            review["apiVersion"] = "authorization.k8s.io/v1".into();
            review["status"] =
                json!({"allowed": true, "reason": "kdp emulates no authorization: everything is allowed"});
        }
        "selfsubjectreviews" => {
            review["kind"] = "SelfSubjectReview".into();
            review["apiVersion"] = "authentication.k8s.io/v1".into();
            review["status"] = json!({"userInfo": {"username": "kdp", "groups": ["system:masters", "system:authenticated"]}});
        }
        "selfsubjectrulesreviews" => {
            review["kind"] = "SelfSubjectRulesReview".into();
            review["apiVersion"] = "authorization.k8s.io/v1".into();
            let all = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
            review["status"] = json!({"resourceRules": all, "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}], "incomplete": false});
        }
        _ => return Err(Refusal::no_such_path()),
    }
    Ok(review)
}
